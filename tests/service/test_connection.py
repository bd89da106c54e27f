"""The page when the service does not answer for a while, or refuses what it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser_helpers import chromium, opened_page, until
from service_helpers import JOBS, ended, running, song, submit

pytestmark = pytest.mark.browser

LOST = "The studio does not answer"
TOO_LONG = "'name' is too long: give 200 characters or fewer"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def names(page: Any) -> list[str]:
    return [str(name) for name in page.locator("#list .name").all_inner_texts()]


def test_the_page_finds_the_service_again(tmp_path: Path, browser: Any) -> None:
    """The service dies; while it is away for the page, one song is deleted and another comes."""
    with running(tmp_path, "--no-browser", verb="studio") as (process, client):
        kept, deleted = (submit(client, song(0.3, f), name).json()["id"] for f, name in ((300, "kept"), (400, "gone")))  # type: ignore[arg-type]
        ended(client, kept), ended(client, deleted)  # type: ignore[arg-type]
        page, _ = opened_page(browser, process.url)
        until(page, lambda: sorted(names(page)) == ["gone", "kept"])
        page.get_by_role("button", name="Play the stems of gone").click()
        page.wait_for_selector("#player:not([hidden])")
        process.process.kill()
        process.process.wait()
        page.wait_for_selector(f"#connection >> text={LOST}", timeout=20_000)
    # A proxy before the service answers with an error, after which a browser gives up following events.
    page.route("**/api/v1/events", lambda route: route.fulfill(status=502))
    port = process.url.rpartition(":")[2]
    with running(tmp_path, "--no-browser", "--port", port, verb="studio") as (_, client):
        assert client.delete(f"{JOBS}/{deleted}").status_code == 204
        submit(client, song(0.3, 500), "new")  # type: ignore[arg-type]
        page.wait_for_timeout(5000)
        assert page.locator("#connection", has_text=LOST).is_visible()
        page.unroute("**/api/v1/events")
        until(page, lambda: sorted(names(page)) == ["kept", "new"])
        until(page, lambda: page.locator("#connection", has_text=LOST).count() == 0)
        assert page.locator("#player").is_hidden(), "its song was deleted"


def test_another_token_is_asked_for(tmp_path: Path, browser: Any) -> None:
    first, second = "the first of the tokens", "the second of the tokens"
    (tmp_path / "token").write_text(first)
    with running(tmp_path, "--token-file", "token") as (process, _):
        page, _ = opened_page(browser, process.url)
        page.get_by_label("Token", exact=True).fill(first)
        page.get_by_role("button", name="Enter").click()
        page.wait_for_selector("#none:not([hidden])")
        until(page, lambda: page.get_by_role("dialog").count() == 0)
    (tmp_path / "token").write_text(second)
    with running(tmp_path, "--token-file", "token", "--port", process.url.rpartition(":")[2]) as (_, _):
        page.get_by_label("Token", exact=True).fill(second, timeout=20_000)
        page.get_by_role("button", name="Enter").click()
        until(page, lambda: page.get_by_role("dialog").count() == 0)
        until(page, lambda: page.locator("#connection", has_text=LOST).count() == 0)


def test_what_the_service_refuses_is_said_at_the_song(tmp_path: Path, browser: Any) -> None:
    with running(tmp_path, "--no-browser", verb="studio") as (process, client):
        ended(client, submit(client, name="a.wav").json()["id"])  # type: ignore[arg-type]
        page, wrong = opened_page(browser, process.url)
        for name in ("x" * 201, "y" * 202):
            page.once("dialog", lambda dialog, name=name: dialog.accept(name))
            page.get_by_role("button", name="Rename").click()
            until(page, lambda: page.locator("#list [role=alert]").all_inner_texts() == [TOO_LONG])
        assert not [line for line in wrong if "422" not in line], "a refusal is no error of the page"
    page.once("dialog", lambda dialog: dialog.accept("b.wav"))
    page.get_by_role("button", name="Rename").click()
    until(page, lambda: LOST in page.locator("#list [role=alert]").inner_text())
