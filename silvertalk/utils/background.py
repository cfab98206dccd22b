"""Work beside the main thread, in bounded queues."""

import atexit
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")
_END = object()
LOOK_EVERY = 0.02  # seconds between two looks at whether to stop
# Threads at work and how to stop them.
_running: dict[threading.Thread, threading.Event] = {}


def in_background(items: Iterable[Item], size: int, stopped: threading.Event | None = None) -> Iterator[Item]:
    """Compute the items of an iterable in a thread of its own, up to ``size`` ahead.

    Codecs, OpenCV and neural networks release Python's lock, so a chain of
    these keeps all cores busy while memory stays bounded. An exception of the
    iterable is raised here, where its item would have come. When the reader
    stops early, the thread stops too.

    Args:
        items: Anything to iterate; it is used in the thread only.
        size: Most items that wait.
        stopped: Ends thread and reader when it is set, from any thread.
    """
    waiting: queue.Queue = queue.Queue(maxsize=size)
    stopped = stopped or threading.Event()

    def put(entry) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(entry, timeout=LOOK_EVERY)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        iterator: Any = None
        try:
            iterator = iter(items)
            for item in iterator:
                if not put((item, None)):
                    break
            else:
                put((_END, None))
        except BaseException as error:  # handed over, not swallowed
            put((_END, error))
        finally:
            if hasattr(iterator, "close"):
                iterator.close()
            _running.pop(thread, None)

    thread = threading.Thread(target=work, daemon=True)
    _running[thread] = stopped
    thread.start()
    item = error = None
    try:
        while not stopped.is_set():
            try:
                item, error = waiting.get(timeout=LOOK_EVERY)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        item = error = None  # its traceback holds this frame: the two would keep each other, and all threads before
        stopped.set()
        thread.join()


def _stop_all() -> None:
    """End all threads: one that is in a library when Python ends would abort the process."""
    threads = dict(_running)
    for stopped in threads.values():
        stopped.set()
    for thread in threads:
        thread.join()


atexit.register(_stop_all)
