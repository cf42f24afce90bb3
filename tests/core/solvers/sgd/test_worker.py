"""Threads that do what they are told, in order, and say what went wrong."""

import threading

import pytest

from softmaxclf.core.solvers.sgd.worker import Worker


def test_tasks_are_done_in_order_in_another_thread():
    done = []
    with Worker() as worker:
        for number in range(50):
            worker.begin(lambda number=number: done.append((number, threading.get_ident())))
        worker.end()
    assert [number for number, _ in done] == list(range(50))
    assert {thread for _, thread in done} != {threading.get_ident()}


def test_outside_a_with_block_a_task_is_done_at_once():
    done = []
    worker = Worker()
    worker.begin(lambda: done.append(threading.get_ident()))
    assert done == [threading.get_ident()]
    worker.end()


def test_end_waits_for_all_but_the_last_ones():
    gate, done = threading.Event(), []
    with Worker() as worker:
        worker.begin(lambda: done.append("first"))
        worker.begin(gate.wait)
        worker.end(left=1)
        assert done == ["first"]
        gate.set()
        worker.end()


@pytest.mark.parametrize("threads", [False, True])
def test_an_error_of_a_task_is_raised_where_it_is_waited_for(threads):
    def fail():
        raise MemoryError("of the task")

    worker = Worker()
    if not threads:
        worker.begin(fail)
        with pytest.raises(MemoryError, match="of the task"):
            worker.end()
        return
    with worker:
        worker.begin(fail)
        worker.begin(lambda: None)
        with pytest.raises(MemoryError, match="of the task"):
            worker.end()
        worker.end()


def test_leaving_the_block_ends_the_thread_and_forgets_what_was_not_waited_for():
    before = threading.active_count()
    worker = Worker()
    with pytest.raises(KeyError), worker:
        worker.begin(lambda: None)
        raise KeyError
    assert threading.active_count() == before
    worker.end()  # nothing is left to wait for
    with worker:
        done = []
        worker.begin(lambda: done.append(1))
        worker.end()
    assert done == [1]
