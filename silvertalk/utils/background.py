"""Work beside the main thread, in bounded queues."""

import atexit
import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")
_END = object()
# Threads at work and how to stop them.
_running: dict[threading.Thread, threading.Event] = {}


def in_background(items: Iterable[Item], size: int) -> Iterator[Item]:
    """Compute the items of an iterable in a thread of its own, up to ``size`` ahead.

    Codecs, OpenCV and neural networks release Python's lock, so a chain of
    these keeps all cores busy while memory stays bounded. An exception of the
    iterable is raised here, where its item would have come. When the reader
    stops early, the thread stops too.

    Args:
        items: Anything to iterate; it is used in the thread only.
        size: Most items that wait.
    """
    waiting: queue.Queue = queue.Queue(maxsize=size)
    stopped = threading.Event()

    def put(entry) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(entry, timeout=0.1)
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
            if stopped.is_set():
                with contextlib.suppress(queue.Full):
                    waiting.put_nowait((_END, None))  # a reader in another thread may wait
            _running.pop(thread, None)

    thread = threading.Thread(target=work, daemon=True)
    _running[thread] = stopped
    thread.start()
    item = error = None
    try:
        while True:
            item, error = waiting.get()
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
