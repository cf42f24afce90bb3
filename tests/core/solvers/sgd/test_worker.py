"""Threads that do what they are told, in order, and say what went wrong."""

import threading

import pytest

from softmaxclf.core.solvers.sgd.worker import Helper


def test_tasks_are_done_in_order_in_another_thread():
    done = []
    with Helper() as helper:
        for number in range(50):
            helper.begin(lambda number=number: done.append((number, threading.get_ident())))
        helper.end()
    assert [number for number, _ in done] == list(range(50))
    assert {thread for _, thread in done} != {threading.get_ident()}


def test_outside_a_with_block_a_task_is_done_at_once():
    done = []
    helper = Helper()
    helper.begin(lambda: done.append(threading.get_ident()))
    assert done == [threading.get_ident()]
    helper.end()


def test_end_waits_for_all_but_the_last_ones():
    gate, done = threading.Event(), []
    with Helper() as helper:
        helper.begin(lambda: done.append("first"))
        helper.begin(gate.wait)
        helper.end(left=1)
        assert done == ["first"]
        gate.set()
        helper.end()


@pytest.mark.parametrize("threads", [False, True])
def test_an_error_of_a_task_is_raised_where_it_is_waited_for(threads):
    def fail():
        raise MemoryError("of the task")

    helper = Helper()
    if not threads:
        helper.begin(fail)
        with pytest.raises(MemoryError, match="of the task"):
            helper.end()
        return
    with helper:
        helper.begin(fail)
        helper.begin(lambda: None)
        with pytest.raises(MemoryError, match="of the task"):
            helper.end()
        helper.end()


def test_leaving_the_block_ends_the_thread_and_forgets_what_was_not_waited_for():
    before = threading.active_count()
    helper = Helper()
    with pytest.raises(KeyError), helper:
        helper.begin(lambda: None)
        raise KeyError
    assert threading.active_count() == before
    helper.end()  # nothing is left to wait for
    with helper:
        done = []
        helper.begin(lambda: done.append(1))
        helper.end()
    assert done == [1]
