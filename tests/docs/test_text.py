"""The pages as text: prose has lines of up to 100 columns, and the index names every page."""

from __future__ import annotations

import re

import pytest

from docs_helpers import ROOT, Page, pages

PAGES = pages()
COLUMNS = 100


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
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


def test_the_table_of_where_to_change_what_is_true() -> None:
    text = Page(ROOT / "docs/architecture.md").text
    table = text[text.index("## Where to change what") : text.index("## The STFT")]
    for row in table.splitlines():
        if not row.startswith("|"):
            continue
        paths = re.findall(r"`([\w/]+(?:\.py|\.yaml|\.md|/))`", row)
        files = [
            ROOT / path if path.startswith(("tests/", "docs/")) else ROOT / "src/htdemucs_n" / path for path in paths
        ]
        assert all(file.exists() for file in files), row
        code = "".join(file.read_text("utf-8") for file in files if file.is_file())
        for name in re.findall(r"`(?:\w+\.)?(\w+)`", row):
            assert name in code or name in ("NetworkSizes", "SeparationNetwork"), name
