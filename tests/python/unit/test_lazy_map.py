"""imap: it takes what is read, and ends when nobody reads."""

from __future__ import annotations

import gc
import itertools
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fake_client import eventually
from fake_scheduler import FakeScheduler

from paraply import error
from paraply.client.client import Client


class Counted:
    """An endless input that knows how much of it was taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[int]:
        for number in itertools.count():
            self.taken = number + 1
            yield number


@pytest.mark.parametrize("ordered", [True, False])
def test_an_endless_input_is_taken_as_results_are_read(rc: Client, ordered: bool) -> None:
    numbers = Counted()
    iterator = rc.load_balanced_view().imap(abs, numbers, max_outstanding=3, ordered=ordered)
    assert next(iterator) == 0
    eventually(lambda: numbers.taken == 7)
    assert [next(iterator) for _ in range(5)] == [1, 2, 3, 4, 5]
    eventually(lambda: repr(iterator) == "<LazyMapIterator(abs): 12 submitted, 6 read>")
    assert numbers.taken == 12


def test_nothing_is_taken_for_an_iterator_that_is_gone(rc: Client) -> None:
    before = set(threading.enumerate())
    numbers = Counted()
    iterator = rc.load_balanced_view().imap(abs, numbers)
    next(iterator)
    (thread,) = [each for each in threading.enumerate() if each.name == "paraply-imap" and each not in before]
    del iterator
    gc.collect()
    eventually(lambda: not thread.is_alive())
    assert numbers.taken <= 10


def test_in_a_callback(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: index == 0
    result = rc[0].apply_async(abs, 1)
    got: list[object] = []
    result.add_done_callback(lambda _: got.append(list(rc.load_balanced_view().imap(abs, range(10)))))
    eventually(lambda: scheduler.held)
    scheduler.release(scheduler.transport.streams[0].send)
    eventually(lambda: got == [list(range(10))])


def test_an_interrupted_next_loses_nothing(rc: Client, scheduler: FakeScheduler) -> None:
    scheduler.hold = lambda index: True
    iterator = rc.load_balanced_view().imap(abs, range(3), max_outstanding=3)
    eventually(lambda: len(scheduler.held) == 3)
    main = threading.main_thread().ident
    assert main is not None
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # it may come before `next` has begun
        threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
        next(iterator)
    scheduler.release(scheduler.transport.streams[0].send)
    assert list(iterator) == [0, 1, 2]


def test_cancel_while_tasks_finish(rc: Client, scheduler: FakeScheduler) -> None:
    for _ in range(20):
        iterator = rc.load_balanced_view().imap(abs, itertools.count(), max_outstanding=50)
        next(iterator)
        iterator.cancel()
        for value in iterator:
            assert isinstance(value, int)
    scheduler.hold = lambda index: True
    iterator = rc.load_balanced_view().imap(abs, range(100), max_outstanding=2, ordered=False)
    eventually(lambda: len(scheduler.held) == 2)
    iterator.cancel()
    for _ in range(2):
        with pytest.raises(error.TaskAborted):
            next(iterator)
    with pytest.raises(StopIteration):
        next(iterator)


def test_cancel_while_a_task_is_being_submitted(
    rc: Client, scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler.hold = lambda index: True
    view = rc.load_balanced_view()
    submits, cancelled = threading.Event(), threading.Event()
    call = view._call

    def slow_call(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        submits.set()
        assert cancelled.wait(10)
        return result

    monkeypatch.setattr(view, "_call", slow_call)
    iterator = view.imap(abs, range(5), max_outstanding=2)
    assert submits.wait(10)
    iterator.cancel()
    cancelled.set()
    with pytest.raises(error.TaskAborted):
        next(iterator)
    assert list(iterator) == []


def test_threads_share_an_iterator(rc: Client) -> None:
    iterator = rc.load_balanced_view().imap(abs, range(200))
    got: list[int] = []
    threads = [threading.Thread(target=lambda: got.extend(iterator)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(got) == list(range(200))


def test_failures_are_raised_or_given(rc: Client) -> None:
    view = rc.load_balanced_view()
    iterator = view.imap(lambda x: 1 // x, [1, 0, -1])
    assert next(iterator) == 1
    with pytest.raises(error.RemoteError):
        next(iterator)
    assert list(iterator) == [-1]
    given = list(view.imap(lambda x: 1 // x, [1, 0], return_exceptions=True))
    assert isinstance(given[1], error.RemoteError)
