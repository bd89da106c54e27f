"""The pages as text: links lead somewhere, prose has lines of 100 columns."""

from __future__ import annotations

import re

import pytest

from docs_helpers import ROOT, Page, pages

PAGES = pages()
EVERY = [*PAGES, *(Page(path) for path in sorted(ROOT.glob("src/**/*.md")))]
COLUMNS = 100
LONG_LINES = ("CHANGELOG.md", "docs/benchmarks.md", "docs/training.md", "docs/training-data.md")
"""Pages that are not wrapped yet."""


@pytest.mark.parametrize("page", EVERY, ids=lambda page: page.name)
def test_links_lead_to_a_file_and_an_anchor(page: Page) -> None:
    for link in page.links():
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (page.path.parent / target).resolve() if target else page.path
        assert file.exists(), link
        assert ROOT in (file, *file.parents), f"{link} leads out of the repository"
        if anchor and file.suffix == ".md":
            assert anchor in Page(file).anchors(), link


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in LONG_LINES], ids=lambda page: page.name)
def test_prose_has_lines_of_100_columns(page: Page) -> None:
    long = [
        f"{page.name}:{number}"
        for number, line in page.prose()
        if len(line) > COLUMNS and not line.startswith(("|", "[![")) and not re.search(r"\]\(|https?://", line)
    ]
    assert not long


def test_index_names_every_page() -> None:
    index = Page(ROOT / "docs/index.md").text
    for page in PAGES:
        if page.name.startswith("docs/") and page.name != "docs/index.md":
            name = page.name.removeprefix("docs/").removesuffix(".md")
            assert re.search(rf"^{re.escape(name)}$", index, re.MULTILINE), name
