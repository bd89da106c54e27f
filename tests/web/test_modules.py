"""The scripts of the page without a server beside those of the studio, as text."""

from __future__ import annotations

import re
from pathlib import Path

from web_helpers import WEB

PAGE = WEB / "page"
STUDIO = WEB.parent / "src/htdemucs_n/service/page"


def text(path: Path) -> str:
    """The text of a file."""
    return path.read_text(encoding="utf-8")


def test_only_the_api_takes_the_place_of_a_file_of_the_studio() -> None:
    assert {path.name for path in PAGE.iterdir()} & {path.name for path in STUDIO.iterdir()} == {"api.js"}


OF_A_SERVICE = {"describe", "facts", "list", "logIn", "midiLink", "notes"}
"""What the page of the studio hides where `api.js` does not export it. Add a name only if the page works without it."""


def test_the_studio_is_given_all_that_it_cannot_do_without() -> None:
    given = set(re.findall(r"^export (?:async )?(?:const|function|class) (\w+)", text(PAGE / "api.js"), re.MULTILINE))
    scripts = [text(path) for path in STUDIO.glob("*.js") if path.name != "api.js"]
    used = {name for script in scripts for name in re.findall(r"\bapi\.(\w+)", script)} - {"js"}
    assert len(used) > 10 and used - OF_A_SERVICE <= given


def test_all_words_are_in_both_languages() -> None:
    english, chinese = (
        set(re.findall(r"(\w+): \"", part)) for part in text(PAGE / "words_of_the_tab.js").split("zh: {")
    )
    assert english == chinese and len(english) > 15
    scripts = [text(path) for path in PAGE.glob("*.js")]
    used = {key for script in scripts for key in re.findall(r"say\(\"(\w+)\"", script)}
    assert used and used <= english


def test_nothing_of_the_page_is_of_another_site() -> None:
    for path in [*PAGE.iterdir(), *(WEB / "separation").iterdir(), *WEB.glob("*.js*")]:
        if path.name != "package-lock.json":
            assert not re.search(r"https?://|[\"\'`]//[a-z]|innerHTML|\beval\(", text(path)), path.name
