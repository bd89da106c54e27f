"""The page of the studio in Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")


@contextlib.contextmanager
def chromium(*arguments: str) -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("Debian's chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *arguments])
        yield started
        started.close()


def opened_page(browser: Any, url: str, **options: Any) -> tuple[Any, list[str]]:
    """A page, and the list of what goes wrong in it."""
    page = browser.new_page(**{"locale": "en-GB", **options})
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    return page, wrong


def until(page: Any, true: Callable[[], bool]) -> None:
    """Wait until something is true of a page, whose policy forbids Playwright's own way of waiting for it."""
    for _ in range(400):
        if true():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not become true")


def rename_and_delete(page: Any) -> None:
    """Rename the song that is open, the only one, and delete it."""
    page.once("dialog", lambda dialog: dialog.accept("Another name"))
    page.get_by_role("button", name="Rename").click()
    until(page, lambda: page.inner_text("#playing") == "Another name")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    page.wait_for_selector("#none:not([hidden])")
    assert page.locator("#player").is_hidden()
