"""In which order the frames of a face video are shown, and reading them in that order."""

from collections.abc import Iterable, Iterator
from itertools import islice

from silvertalk.face.source import FaceSource
from silvertalk.media import Picture

# Frames read at a time when a video is played backwards.
REVERSE_CHUNK = 50


def playing_order(length: int, num_frames: int, loop: str = "pingpong", phase: int = 0) -> Iterator[int]:
    """Say which frame of the source is shown when, so that there is never a jump.

    Args:
        length: Frames of the source.
        num_frames: Frames of the result.
        loop: pingpong turns around at both ends, hold stays on the last frame.
        phase: Number of the first frame in the endless order.
    """
    for number in range(phase, phase + num_frames):
        if loop == "hold" or length == 1:
            yield min(number, length - 1)
        else:
            place = number % (2 * length - 2)
            yield min(place, 2 * length - 2 - place)


def play(source: FaceSource, order: Iterable[int]) -> Iterator[tuple[int, Picture]]:
    """Yield (number, frame) of a source in an order of neighbours; a few frames are in memory at a time."""
    frames: Iterator[Picture] = iter(())
    backwards: dict[int, Picture] = {}
    following: int | None = None
    number: int | None = None
    shown: Picture | None = None
    for wanted in order:
        if wanted != number:
            if number is not None and wanted < number:
                if wanted not in backwards:
                    first = max(0, wanted - REVERSE_CHUNK + 1)
                    backwards = dict(enumerate(islice(source.pictures(first), wanted - first + 1), first))
                shown, following = backwards.pop(wanted, None), None
            else:
                if following != wanted:
                    frames = source.pictures(wanted)
                backwards = {}
                shown, following = next(frames, None), wanted + 1
            number = wanted
        if shown is None:
            raise RuntimeError(f"{source.path}: frame {wanted} cannot be read a second time; check or convert it")
        yield wanted, shown
