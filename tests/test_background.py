"""Items made ahead: same order, errors where they belong, an end to the thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from htdemucs_n.background import Background


def test_the_order_is_that_of_a_loop() -> None:
    data = Background(n * n for n in range(100))
    assert [data.next() for _ in range(100)] == [n * n for n in range(100)]
    data.close()


def test_an_error_is_raised_where_its_result_was_due() -> None:
    data = Background(1 // (2 - n) for n in range(5))
    assert [data.next(), data.next()] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        data.next()
    data.close()


def test_no_more_than_depth_lie_ahead() -> None:
    drawn: list[int] = []
    data = Background((drawn.append(n) or n for n in range(50)), ahead=3)  # type: ignore[func-returns-value]
    data.next()
    time.sleep(0.2)
    assert len(drawn) <= 1 + 3 + 1, "taken, queued, in hand"
    data.close()


def test_closing_ends_the_thread_when_no_item_is_taken() -> None:
    before = threading.active_count()
    data = Background(range(10**9))
    data.close()
    assert threading.active_count() == before


def test_waiting_is_counted_and_overlapped_drawing_is_not() -> None:
    slow = Background(time.sleep(0.05) for n in range(4))
    for _ in range(4):
        slow.next()
    assert slow.waited == pytest.approx(0.2, abs=0.1)
    hidden = Background(time.sleep(0.02) for n in range(4))
    for _ in range(4):
        time.sleep(0.1)
        hidden.next()
    assert hidden.waited < 0.02


def test_without_a_thread_items_are_made_on_demand() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            made.append(threading.get_ident())
            yield number

    data = Background(items(), ahead=0)
    assert made == []
    assert data.next() == 0
    assert made == [threading.get_ident()]
    assert [data.next(), data.next()] == [1, 2]
    with pytest.raises(StopIteration):
        data.next()
    data.close()
