"""The pages in Chinese have the commands, the code, the figures and the links of the English ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAIRS = [("README.md", "README.zh.md"), ("docs/quickstart.md", "docs/quickstart.zh.md")]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_the_same_commands_and_code(english: str, chinese: str) -> None:
    def commands(text: str) -> list[str]:
        return [line.split("  #")[0].strip() for line in re.findall(r"^ {4}(.*)$", text, re.MULTILINE) if line.strip()]

    def code(text: str) -> list[str]:
        return re.findall(r"```python\n(.*?)```", text, re.DOTALL) + re.findall(r"\| `(htdemucs-n [^`]*)` \|", text)

    outside = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    assert commands(outside.sub("", read(english))) == commands(outside.sub("", read(chinese)))
    assert code(read(english)) == code(read(chinese))


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_the_same_links(english: str, chinese: str) -> None:
    def links(text: str) -> set[str]:
        return {link.replace(".zh.md", ".md") for link in re.findall(r"\]\(([^)#\s]+)", text)}

    assert links(read(english)) - {"README.md"} == links(read(chinese)) - {"README.md"}


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_the_same_sections_and_figures(english: str, chinese: str) -> None:
    def levels(text: str) -> list[int]:
        return [len(heading) for heading in re.findall(r"^(#+) ", text, re.MULTILINE)]

    def figures(text: str) -> list[str]:
        return sorted(re.findall(r"-?\d+\.\d+|\d{4}-\d\d-\d\d|\d+(?= MiB)", text))

    assert levels(read(english)) == levels(read(chinese))
    text = read(english)
    for millions, ten_thousands in (("27.5 M", "2750"), ("17.3 M", "1730"), ("3.9 M", "390")):
        text = text.replace(millions, ten_thousands)  # 27.5 M parameters are 2750 万 in Chinese
    assert figures(text) == figures(read(chinese))
