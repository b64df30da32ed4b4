"""The tables of `make profile`, from what the profilers write."""

from __future__ import annotations

from bench.profile import annotated, self_samples


def test_samples_count_for_the_innermost_function() -> None:
    folded = ["main (a.py:1);send (b.py:2) 30", "main (a.py:1) 10", "other (c.py:3);send (b.py:2) 10"]
    assert self_samples(folded) == [("send (b.py:2)", 0.8), ("main (a.py:1)", 0.2)]


def test_a_thread_that_waits_spends_no_time() -> None:
    folded = ["main (a.py:1);epoll_wait (libc.so.6) 90", "main (a.py:1);ppoll (libc.so.6) 5", "main (a.py:1) 5"]
    assert self_samples(folded) == [("main (a.py:1)", 1.0)]


def test_addresses_without_a_name_are_one_line() -> None:
    folded = ["main (a.py:1);0x7fe2ae00bb25 (x.so) 3", "main (a.py:1);0x7fe2ae00bb77 (x.so) 1"]
    assert self_samples(folded) == [("without a name (x.so)", 1.0)]


def test_nothing_sampled_is_an_empty_table() -> None:
    assert self_samples([]) == []


def test_instructions_are_those_of_the_function_itself() -> None:
    text = """\
Events shown:     Ir
--------------------------------------------------------------------------------
1,000 (100.0%)  PROGRAM TOTALS

Ir            file:function
  600 (60.00%)  /rustc/59807/library/core/src/hash/sip.rs:core::hash::BuildHasher::hash_one [/opt/paraply]
   50 ( 5.00%)  ./malloc/malloc.c:malloc [/usr/lib/libc.so.6]
"""
    assert annotated(text) == [("sip.rs:core::hash::BuildHasher::hash_one", 0.6), ("malloc.c:malloc", 0.05)]
