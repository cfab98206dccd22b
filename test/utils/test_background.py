"""Threads that run ahead."""

import subprocess
import sys
import threading
import time

import pytest

from silvertalk.utils.background import _running, _Stopped, in_background


def numbers(count, closed=None):
    """Count; note when it is closed."""
    try:
        yield from range(count)
    finally:
        if closed is not None:
            closed.append(threading.current_thread())


@pytest.mark.parametrize("size", [1, 3, 100])
def test_order_is_kept(size):
    assert list(in_background(range(50), size)) == list(range(50))
    assert list(in_background([], size)) == [] and list(in_background([None, None], size)) == [None, None]
    assert not _running


def test_exception_comes_in_its_place():
    def three():
        yield from range(3)
        raise KeyError("three")

    seen = []
    with pytest.raises(KeyError, match="three"):
        for number in in_background(three(), 8):
            seen.append(number)
    assert seen == [0, 1, 2]


def test_what_cannot_be_iterated_is_an_error_and_no_hang():
    with pytest.raises(TypeError, match="not iterable"):
        next(in_background(5, 1))


def test_early_stop_ends_the_thread_and_closes_the_generator():
    closed = []
    items = in_background(numbers(10**9, closed), 2)
    assert next(items) == 0 and len(_running) == 1
    items.close()
    assert not _running and len(closed) == 1 and closed[0] is not threading.main_thread()


def test_little_is_computed_ahead():
    made = []

    def slow_reader():
        for number in range(100):
            made.append(number)
            yield number

    items = in_background(slow_reader(), 4)
    assert next(items) == 0
    time.sleep(0.3)
    assert len(made) <= 1 + 4 + 1  # read, waiting, in the hand of the thread
    items.close()
    assert len(made) <= 6


def test_nothing_starts_before_it_is_asked_for():
    made = []
    in_background((made.append(k) for k in range(3)), 2)
    time.sleep(0.05)
    assert not made and not _running


def test_chain():
    closed = []
    doubled = in_background((2 * number for number in in_background(numbers(10**9, closed), 3)), 3)
    squared = in_background((number**2 for number in doubled), 3)
    assert [next(squared) for _ in range(4)] == [0, 4, 16, 36]
    squared.close()
    del doubled
    assert closed and not _running


class Resource:
    """A source that holds something, and stages that take their time."""

    def __init__(self, seconds):
        self.seconds, self.closed, self.begun = seconds, [], 0

    def source(self):
        try:
            while True:
                self.begun += 1
                yield self.begun
        finally:
            self.closed.append(threading.current_thread())

    def slow(self, items):
        try:
            for item in items:
                time.sleep(self.seconds)
                yield item
        except Exception:  # what a stage does about errors does not keep it from ending
            yield -1
        finally:
            self.closed.append(threading.current_thread())


@pytest.mark.parametrize("drop", [True, False], ids=["dropped", "closed"])
@pytest.mark.parametrize("seconds", [0, 0.15], ids=["full queues", "waiting stages"])
def test_stages_of_a_chain_end_together(seconds, drop):
    """One after the other, six stages of 0.15 s each would need 0.9 s."""
    resource, before = Resource(seconds), threading.active_count()
    chain = in_background(resource.source(), 2)
    for _ in range(6):
        chain = in_background(resource.slow(chain), 2)
    assert next(chain) == 1
    time.sleep(0.2)
    assert len(_running) == 7 and threading.active_count() == before + 7
    began = time.monotonic()
    if drop:
        del chain
    else:
        chain.close()
    assert time.monotonic() - began < 0.5
    assert not _running and threading.active_count() == before
    assert len(resource.closed) == 7 == len(set(resource.closed)) and threading.main_thread() not in resource.closed


def test_stage_that_waits_for_another_is_stopped():
    """The source never gives anything; its stage waits for it, and the reader in another thread for both."""
    release, seen = threading.Event(), []

    def read(chain):
        with pytest.raises(_Stopped):
            seen.append(next(chain))
        chain.close()

    def source():
        release.wait(5)
        yield 1

    chain = in_background(iter(in_background(source(), 1)), 1)
    reader = threading.Thread(target=read, args=(chain,))
    reader.start()
    while len(_running) < 2:
        time.sleep(0.01)
    for worker, by in list(_running.items()):
        if by is reader:
            worker.stop()
    release.set()
    reader.join(5)
    assert not reader.is_alive() and not seen and not _running


def test_error_while_closing_leaves_no_thread(monkeypatch):
    errors = []
    monkeypatch.setattr(threading, "excepthook", lambda args: errors.append(args.exc_value))

    def source():
        try:
            yield from range(9)
        finally:
            raise OSError("the disk is full")

    items = in_background(source(), 1)
    next(items)
    items.close()
    assert not _running and str(errors[0]) == "the disk is full"


def test_error_ends_the_whole_chain():
    closed = []

    def fails(items):
        for item in items:
            if item == 5:
                raise ValueError("five")
            yield item

    def run():
        chain = in_background(numbers(10**9, closed), 2)
        for stage in (fails, iter, iter):
            chain = in_background(stage(chain), 2)
        return list(chain)

    with pytest.raises(ValueError, match="five") as caught:
        run()
    del caught
    deadline = time.monotonic() + 5
    while _running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert closed and not _running


def test_python_can_end_while_threads_work():
    """An error that nobody catches keeps the chain alive until the end."""
    code = (
        "import time\n"
        "from silvertalk.utils.background import in_background\n"
        "def busy():\n"
        "    while True:\n"
        "        time.sleep(0.01)\n"
        "        yield bytes(1000)\n"
        "chain = in_background(in_background(in_background(busy(), 2), 2), 2)\n"
        "for number, _ in enumerate(chain):\n"
        "    if number == 5:\n"
        "        raise KeyError('mine')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and done.stderr.rstrip().endswith("KeyError: 'mine'")
