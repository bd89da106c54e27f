"""Sphinx: the pages of this folder and the reference of the library."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

import htdemucs_n

DOCS = Path(__file__).parent
REPOSITORY = "https://github.com/htdemucs-n/htdemucs-n/blob/main/"

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
suppress_warnings = ["ref.python"]  # a name that several modules have

html_theme = "furo"
html_title = "htdemucs-n"


def setup(app: Sphinx) -> None:
    """Sphinx calls this with its application."""
    app.connect("source-read", _link_to_repository)


def _link_to_repository(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn relative links to files outside this folder, which are not pages here, into links to the repository."""
    folder = (DOCS / page).parent

    def absolute(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        return match[0] if DOCS in target.parents else f"]({REPOSITORY}{target.relative_to(DOCS.parent).as_posix()}"

    source[0] = re.sub(r"\]\((\.\./[^)#]*)", absolute, source[0])
