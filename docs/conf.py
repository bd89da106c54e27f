"""Sphinx: the pages of this folder and the reference of the library."""

from __future__ import annotations

import htdemucs_n

project = "htdemucs-n"
author = "The htdemucs-n authors"
release = htdemucs_n.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["notebooks/**"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
default_role = "code"  # docstrings put names between single backticks
suppress_warnings = ["myst.xref_missing", "ref.python"]  # links to files of the repository

html_theme = "furo"
html_title = "htdemucs-n"
