"""Datasets are updated once, whoever asks, and a circle is refused rather than waited for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from emulator.compute.pipelines.turns import CircleError, Turns


def test_one_thread_updates_and_the_others_learn_how_it_ended():
    turns, began, answers = Turns(), threading.Event(), []
    assert turns.take("a") is None

    def ask() -> None:
        began.set()
        answers.append(turns.take("a"))

    other = threading.Thread(target=ask)
    other.start()
    began.wait()
    turns.finish("a", succeeded=False)
    other.join(timeout=5)
    assert answers == [False]
    assert turns.take("a") is False


def test_a_dataset_that_needs_itself_is_a_circle():
    turns = Turns()
    assert turns.take("a") is None
    with pytest.raises(CircleError):
        turns.take("a")


def test_two_threads_that_need_each_other_do_not_wait_for_ever():
    turns, both = Turns(), threading.Barrier(2)

    def update(own: str, needed: str) -> str:
        assert turns.take(own) is None
        both.wait(timeout=5)
        try:
            ended = turns.take(needed)
        except CircleError:
            ended = None
        turns.finish(own, succeeded=ended is True)
        return "circle" if ended is None else "waited"

    with ThreadPoolExecutor() as threads:
        found = [threads.submit(update, *names) for names in (("a", "b"), ("b", "a"))]
        assert sorted(f.result(timeout=10) for f in found) == ["circle", "waited"]
