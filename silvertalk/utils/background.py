"""Work beside the main thread, in bounded queues."""

import atexit
import threading
from collections import deque
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
_END = object()


class _Stopped(BaseException):
    """Ends the work of a stage whose input was stopped; no error of the work, so none of its handlers gets it."""


class Worker(threading.Thread):
    """Computes items ahead of their reader; see ``in_background``.

    Args:
        items: Anything to iterate; it is used in the thread only.
        size: Most items that wait.
    """

    def __init__(self, items: Iterable, size: int):
        super().__init__(daemon=True)
        self.items, self.size = items, size
        self.waiting: deque = deque()
        self.changed = threading.Condition()
        self.stopped = False

    def run(self) -> None:
        """Compute; the iterable is closed here, where it was used."""
        iterator: Any = None
        try:
            iterator = iter(self.items)
            for item in iterator:
                if not self._put((item, None)):
                    return
            self._put((_END, None))
        except BaseException as error:  # handed over, not swallowed
            self._put((_END, error))
        finally:
            try:
                if hasattr(iterator, "close"):
                    iterator.close()
            finally:
                del _running[self]

    def _put(self, entry: tuple) -> bool:
        """Hand an item over when there is place; False: nobody wants it any more."""
        with self.changed:
            self.changed.wait_for(lambda: self.stopped or len(self.waiting) < self.size)
            if not self.stopped:
                self.waiting.append(entry)
                self.changed.notify_all()
        return not self.stopped

    def get(self) -> tuple:
        """Wait for the next item, and the error in its place."""
        with self.changed:
            self.changed.wait_for(lambda: self.stopped or self.waiting)
            if self.stopped:
                raise _Stopped
            self.changed.notify_all()
            return self.waiting.popleft()

    def stop(self) -> None:
        """Wake it and all stages before it, which may be computing or waiting, at the same time."""
        with self.changed:
            self.stopped = True
            self.waiting.clear()
            self.changed.notify_all()
        for worker, reader in list(_running.items()):
            if reader is self:
                worker.stop()

    def results(self) -> Generator:
        """Begin, and yield the items; ``stop`` ends them, too."""
        reader = threading.current_thread()
        _running[self] = reader
        self.start()
        if getattr(reader, "stopped", False):  # while this stage began
            self.stop()
        item = error = None
        try:
            while True:
                item, error = self.get()
                if error is not None:
                    raise error
                if item is _END:
                    return
                yield item
        except _Stopped:
            if isinstance(reader, Worker):  # it is a stage of a chain, which ends with it
                raise
        finally:
            item = error = None  # its traceback holds this frame: the two would keep each other, and all before
            self.stop()
            # Where a dropped chain is cleared away in one of its own threads, waiting would be for itself.
            if (here := threading.current_thread()) is reader or not isinstance(here, Worker):
                self.join()


# Workers, and the threads that read what they make.
_running: dict[Worker, threading.Thread] = {}


def in_background(items: Iterable[Item], size: int) -> Generator[Item]:
    """Compute the items of an iterable in a thread of its own, up to ``size`` ahead.

    Codecs, OpenCV and neural networks release Python's lock, so a chain of
    these keeps all cores busy while memory stays bounded. An exception of the
    iterable is raised here, where its item would have come. When the reader
    stops early (``close()``, or it is dropped), all threads of a chain end as
    soon as each has computed what it is at, and every generator in it is closed.

    Args:
        items: Anything to iterate; it is used in the thread only.
        size: Most items that wait.
    """
    return Worker(items, size).results()


def _stop_all() -> None:
    """End all threads: one that is in a library when Python ends would abort the process."""
    workers = list(_running)
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.join()


atexit.register(_stop_all)
