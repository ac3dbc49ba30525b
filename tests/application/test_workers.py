"""What recurs shares threads: goal: many tasks on few threads, none twice at once, none starved.

Method: tasks that count their turns, on real threads; waits are for what comes about.
"""

import threading
from functools import partial

import pytest

from ledger.application.workers import TaskInterval, Workers
from ledger.clock import SystemClock
from tests.support.server_process import until

OFTEN = TaskInterval(0.0, 0.001)
SELDOM = TaskInterval(0.0, 3_600.0)
NOT_SOON = TaskInterval(3_600.0, 3_600.0)


def test_a_hundred_tasks_take_their_turns_on_three_threads(workers: Workers) -> None:
    turns = [0] * 100
    names: set[str] = set()

    def count(number: int) -> TaskInterval:
        turns[number] += 1
        names.add(threading.current_thread().name)
        return OFTEN

    for number in range(100):
        workers.recur(f"task {number}", partial(count, number))
    until(lambda: min(turns) >= 5)
    assert len(names) <= 3


def test_a_task_is_never_done_twice_at_once_however_often_it_is_woken(workers: Workers) -> None:
    at_once, most, turns = 0, 0, 0

    def do() -> TaskInterval:
        nonlocal at_once, most, turns
        at_once += 1
        most = max(most, at_once)
        turns += 1
        at_once -= 1
        return TaskInterval(0.0, 0.0)

    task = workers.recur("one", do)
    while turns < 200:
        task.wake()
        task.hurry()
    assert most == 1


def test_tasks_that_do_not_return_leave_a_thread_to_the_others(workers: Workers) -> None:
    held = threading.Event()
    for number in range(2):
        workers.recur(f"held {number}", lambda: TaskInterval(0.0, 0.0) if held.wait(30) else SELDOM)
    done = threading.Event()

    def do() -> TaskInterval:
        done.set()
        return SELDOM

    workers.recur("free", do)
    assert done.wait(30)
    held.set()


def test_waking_shortens_the_pause_to_the_least_and_hurrying_to_nothing(workers: Workers) -> None:
    turns: list[str] = []

    def do(name: str, pause: TaskInterval) -> TaskInterval:
        turns.append(name)
        return pause

    quick = workers.recur("quick", partial(do, "quick", SELDOM))
    slow = workers.recur("slow", partial(do, "slow", NOT_SOON))
    until(lambda: sorted(turns) == ["quick", "slow"])
    slow.wake()
    quick.wake()
    until(lambda: turns.count("quick") == 2)
    assert turns.count("slow") == 1
    slow.hurry()
    until(lambda: turns.count("slow") == 2)


def test_tasks_that_are_hurried_again_and_again_delay_the_others_by_a_turn() -> None:
    workers = Workers(SystemClock(), threads=1)
    turns = {"hurried": 0, "other": 0}

    def hurried() -> TaskInterval:
        turns["hurried"] += 1
        task.hurry()
        return SELDOM

    def other() -> TaskInterval:
        turns["other"] += 1
        return OFTEN

    may_begin = threading.Event()
    task = workers.recur("hurried", lambda: hurried() if may_begin.wait(30) else SELDOM)
    workers.recur("other", other)
    may_begin.set()
    until(lambda: turns["hurried"] > 100 and turns["other"] > 3)
    workers.stop()


def test_what_is_woken_during_its_turn_has_another(workers: Workers) -> None:
    turns: list[int] = []

    def do() -> TaskInterval:
        turns.append(1)
        if len(turns) == 1:
            task.wake()
        return SELDOM

    started = threading.Event()
    task = workers.recur("late", lambda: do() if started.wait(30) else SELDOM)
    started.set()
    until(lambda: len(turns) == 2)


def test_after_stop_a_task_is_not_being_done_and_never_is_again(workers: Workers) -> None:
    is_running = False
    turns = 0

    def do() -> TaskInterval:
        nonlocal is_running, turns
        is_running, turns = True, turns + 1
        until(lambda: turns > 0)
        is_running = False
        return OFTEN

    task = workers.recur("one", do)
    until(lambda: turns > 3)
    task.stop()
    assert not is_running
    stopped_at = turns
    task.wake()
    task.hurry()
    other = workers.recur("other", lambda: SELDOM)
    other.stop()
    assert turns == stopped_at


def test_what_raises_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    clock = SystemClock()
    workers = Workers(clock, threads=1)
    turns = 0

    def do() -> TaskInterval:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise ZeroDivisionError("a defect")
        return SELDOM

    workers.recur("broken", do)
    until(lambda: turns == 2)
    workers.stop()
    assert "a defect" in capsys.readouterr().out


def test_a_thread_apart_holds_up_no_other(workers: Workers) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> TaskInterval:
        held.wait(30)
        return SELDOM

    for number in range(5):
        workers.of("slow").recur(f"{number}", hold)

    def do() -> TaskInterval:
        done.set()
        return SELDOM

    workers.of("quick").recur("one", do)
    assert done.wait(30)
    assert sum(thread.name.startswith("slow") for thread in threading.enumerate()) == 1
    held.set()
