"""Read video at a constant rate by time stamps, and windows of MJPEG files."""

import contextlib
import itertools
import logging
import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, TypeVar

import av
import cv2
import numpy as np

from silvertalk.media.picture import Picture
from silvertalk.media.timing import FPS

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
FOLDER_FPS = FPS  # pictures in a folder have no time of their own
HIGHEST_RATE = 1000.0  # frames per second; cover art and damaged headers claim 90000
# Time stamps of a damaged file can claim any time; a real pause of a recording is shorter.
LONGEST_PAUSE = 600.0  # seconds
LEAP = 2.0  # seconds between two stamps that are looked at twice; as in the sound
# Where to enter before a wanted second: some containers (MPEG-PS) seek by estimated bytes, and land behind it or, near
# the ends, nowhere. If both leads fail, the file is read from its beginning.
SEEK_LEADS = (0.5, 5.0)  # seconds
# Half a tick of 1/1000 s containers: a stamp of 0.0400004 still counts as 0.04.
TOLERANCE = 0.002  # seconds
EXIF_ORIENTATION, EXIF_MIRRORED = 0x0112, {2, 4, 5, 7}
JPEG_START = b"\xff\xd8"
SMALL_FILE = 2**20  # bytes; is read from the disk at one go, which takes less time than three places of it do
AVI_CHUNK = struct.Struct("<4sI")  # header of a part of an AVI file

Shown = TypeVar("Shown")


@dataclass
class MediaInfo:
    """What a file says about itself."""

    duration: float  # seconds; 0 where the container does not say
    fps: float  # average frame rate, 0 without video
    width: int  # pixels as displayed, 0 without video
    height: int
    has_audio: bool
    is_image: bool  # a still picture
    pixel_aspect: Fraction = Fraction(1)  # width over height of a pixel, as displayed
    constant_rate: bool = True  # whether all frames are shown equally long, as far as the header tells


def _open(path: str | os.PathLike) -> av.container.InputContainer:
    """Open a file or say in one sentence why not."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        return av.open(str(path), metadata_errors="ignore")
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RuntimeError(f"{path}: is not a readable video ({reason}); check or replace the file") from error


def probe(path: str | os.PathLike) -> MediaInfo:
    """Read the header of a media file, or of a folder of pictures.

    Raises:
        FileNotFoundError: No such file.
        RuntimeError: Not a media file.
    """
    if Path(path).is_dir():
        pictures = folder_pictures(path)
        height, width = _read_picture(pictures[0]).shape[:2]
        return MediaInfo(len(pictures) / FOLDER_FPS, FOLDER_FPS, width, height, False, len(pictures) == 1)
    with _open(path) as container:
        video = _video_stream(container)
        duration = float(container.duration or 0) / av.time_base
        width, height = (video.codec_context.width, video.codec_context.height) if video else (0, 0)
        aspect = Fraction(video.sample_aspect_ratio or 1) if video else Fraction(1)
        if video and _is_turned(container, video):
            width, height, aspect = height, width, 1 / aspect
        return MediaInfo(
            duration=duration,
            fps=_frame_rate(video) if video else 0.0,
            width=width,
            height=height,
            has_audio=bool(container.streams.audio),
            is_image=Path(path).suffix.lower() in IMAGE_SUFFIXES or bool(video and _is_cover(video)),
            pixel_aspect=aspect,
            constant_rate=not video or video.average_rate == video.base_rate,
        )


def _video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """Find the stream to be shown: cover art only where there is nothing else, and none whose codec is unknown."""
    known = [stream for stream in container.streams.video if stream.codec_context is not None]
    return min(known, key=_is_cover, default=None)


def _is_cover(stream: av.VideoStream) -> bool:
    """Whether it is one picture that comes with a sound, or with a video."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _frame_rate(stream: av.VideoStream) -> float:
    """Frames per second; 0 where the file does not say, or says what cannot be."""
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    return 0.0 if _is_cover(stream) or rate > HIGHEST_RATE else rate


def _is_turned(container: av.container.InputContainer, stream: av.VideoStream) -> bool:
    """Whether the picture is shown turned by a quarter; only a decoded frame tells."""
    try:
        return bool(_quarter_turns(next(container.decode(stream))) % 2)
    except (av.FFmpegError, StopIteration):
        return False


def folder_pictures(folder: str | os.PathLike) -> list[Path]:
    """List the pictures of a folder, by the numbers in their names.

    Raises:
        RuntimeError: It holds none.
    """
    found = [path for path in Path(folder).iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise RuntimeError(f"{folder}: holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))}); name another folder")
    return sorted(found, key=natural_order)


def natural_order(path: Path) -> list:
    """Sort key under which frame 10 follows frame 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def read_frames(
    path: str | os.PathLike, fps: float = FPS, start: float = 0.0, end: float | None = None
) -> Iterator[np.ndarray]:
    """Decode a video at a constant frame rate: uint8 RGB (H, W, 3); see ``read_pictures``."""
    orientation = _Orientation(path)
    return _read(path, fps, start, end, lambda frame: _upright_rgb(frame, *orientation(frame)))


def read_pictures(
    path: str | os.PathLike, fps: float = FPS, start: float = 0.0, end: float | None = None
) -> Iterator[Picture]:
    """Decode a video at a constant frame rate, one frame in memory at a time.

    Output frame k is what a player shows at ``start + k / fps``: the last
    source frame whose time stamp (counted from the first frame's) is not
    later, so variable and 29.97 fps input stays in step with its sound. A
    frame shown twice is the same object twice. Damaged packets are passed
    over, and their number is logged.

    Args:
        path: A video, a still picture (one frame), or a folder of pictures (``FOLDER_FPS`` of them a second).
        fps: Output frames per second.
        start: First second wanted.
        end: Last second wanted (exclusive); None reads to the end.

    Yields:
        Pictures of one size, turned upright.

    Raises:
        FileNotFoundError: No such file.
        RuntimeError: No frame could be decoded.
    """
    orientation = _Orientation(path)
    return _read(path, fps, start, end, lambda frame: Picture.from_frame(frame, *orientation(frame)))


def _read(path, fps: float, start: float, end: float | None, convert: Callable[[av.VideoFrame], Shown]):
    """Read a file or folder; ``convert`` makes of a decoded frame what is yielded."""
    if Path(path).is_dir():
        yield from _resample(_folder_frames(path, start), fps, start, end, convert)
        return
    for lead in (*(seconds for seconds in SEEK_LEADS if seconds < start), None):
        with _open(path) as container:
            frames = _frames_from(path, container, start, lead)
            try:
                first = next(frames)
            except RuntimeError:
                if lead is None:
                    raise
                continue
            if lead is None or first[0] <= start + TOLERANCE:
                yield from _resample(itertools.chain([first], frames), fps, start, end, convert)
                return


def _frames_from(path, container, start: float, lead: float | None) -> Iterator[tuple[float, float, av.VideoFrame]]:
    """Enter a file some seconds before ``start``, or (None) at its beginning; yields what ``_timed_frames`` does."""
    stream = _video_stream(container)
    if stream is None:
        raise RuntimeError(f"{path}: holds no picture; give a video or a photo")
    stream.thread_type = "AUTO"
    if lead is not None:
        origin = float((stream.start_time or 0) * stream.time_base)
        with contextlib.suppress(av.FFmpegError):  # what cannot seek is read from its beginning
            container.seek(int((start - lead + origin) * av.time_base), backward=True)
    yield from _timed_frames(path, container, stream, 0.0 if lead is None else start)


def _folder_frames(folder, start: float) -> Iterator[tuple[float, float, av.VideoFrame]]:
    """Yield (seconds, seconds it lasts, frame) of the pictures of a folder, all in the size of the first."""
    size = None
    for number, path in enumerate(folder_pictures(folder)):
        if (number + 1) / FOLDER_FPS <= start:
            continue
        pixels = _read_picture(path)
        size = size or pixels.shape
        if pixels.shape != size:
            raise RuntimeError(f"{path}: is {pixels.shape[1]}x{pixels.shape[0]}, others {size[1]}x{size[0]}; scale it")
        yield number / FOLDER_FPS, 1 / FOLDER_FPS, av.VideoFrame.from_ndarray(pixels, "bgr24")


def _read_picture(path: Path) -> np.ndarray:
    """Read a picture file: uint8 BGR (H, W, 3), upright."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise RuntimeError(f"{path}: is not a readable picture; remove or replace it")
    return pixels


def _timed_frames(path, container, stream, start: float) -> Iterator[tuple[float, float, av.VideoFrame]]:
    """Yield (seconds since the first frame, seconds it lasts, frame); damaged packets are passed over."""
    nominal = min(1.0 / (_frame_rate(stream) or FOLDER_FPS), LEAP)
    latest = float(container.duration) / av.time_base + 1.0 if container.duration else start + LONGEST_PAUSE
    origin = float((stream.start_time or 0) * stream.time_base)
    size, damaged = None, []
    for time, frame in _lay_out(_decode(container, stream, damaged), origin, start, nominal, latest, damaged):
        lasts = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else nominal
        size = size or (frame.width, frame.height)
        if (frame.width, frame.height) != size:
            frame = frame.reformat(*size)
        yield time, min(lasts, LONGEST_PAUSE), frame
    if damaged:
        logging.warning("%s: %d damaged pictures or packets passed over", path, len(damaged))
    if size is None:
        raise RuntimeError(f"{path}: no picture could be decoded; check or replace the file")


def _lay_out(frames, origin: float, start: float, nominal: float, latest: float, damaged: list):
    """Give each frame its time: (seconds since the first frame, frame).

    A stamp that leaps is believed if the next one does not leap back: forwards
    it is a pause, or, if no recording has such a pause, the clock was set anew
    as it is backwards; then the film goes on where it was.
    """
    time, step = None, nominal
    for frame, following in itertools.pairwise(itertools.chain(frames, [None])):
        expected = start if time is None else time + step
        stamped = expected if frame.time is None else frame.time - origin
        if time is None:
            believed, resumed = stamped <= latest, True  # after a seek the first is anywhere
        elif abs(stamped - time) <= LEAP:
            believed, resumed = True, False
            step = stamped - time if stamped > time else step
        else:
            after = None if following is None or following.time is None else following.time - origin
            resumed = after is not None and after >= stamped and abs(after - expected) > LEAP
            pause = time < stamped <= min(time + LONGEST_PAUSE, latest)
            believed = pause and (resumed or after is None)
        if not believed:
            damaged.append(None)
            origin += stamped - expected if resumed else 0.0
        time = stamped if believed else expected
        yield time, frame


def _decode(container, stream, damaged: list) -> Iterator[av.VideoFrame]:
    """Decode a stream; damaged packets are passed over."""
    for packet in _packets(container, stream, damaged):
        try:
            yield from packet.decode()
        except (av.FFmpegError, ValueError) as error:
            damaged.append(error)


def _packets(container, stream, damaged: list) -> Iterator[av.Packet]:
    """Yield a stream's packets as far as the container can be read."""
    try:
        yield from container.demux(stream)
    except (av.FFmpegError, ValueError) as error:
        damaged.append(error)


def _resample(timed_frames, fps: float, start: float, end: float | None, convert: Callable) -> Iterator:
    """Repeat and drop frames so that output k shows time ``start + k / fps``."""
    k, shown, converted = 0, None, None
    until = float("inf") if end is None else end - TOLERANCE

    def emit(before: float) -> Iterator:
        """Show the current frame at every output time earlier than ``before``."""
        nonlocal k, converted
        while start + k / fps < min(before, until):
            if converted is None:
                converted = convert(shown)
            yield converted
            k += 1

    last_end = 0.0
    for time, lasts, frame in timed_frames:
        if shown is not None:
            yield from emit(time - TOLERANCE)
        shown, converted, last_end = frame, None, time + lasts
        if start + k / fps >= until:
            return
    if shown is not None:
        yield from emit(last_end - TOLERANCE)


def _quarter_turns(frame: av.VideoFrame) -> int:
    """Quarter turns, against the clock, that set a frame upright (0-3)."""
    return round((getattr(frame, "rotation", 0) or 0) / 90) % 4


class _Orientation:
    """What sets the frames of a file upright: quarter turns, against the clock (0-3), and whether mirrored before."""

    def __init__(self, path: str | os.PathLike):
        self._path = path

    def __call__(self, frame: av.VideoFrame) -> tuple[int, bool]:
        if not hasattr(self, "_mirrored"):
            # Of one frame only: PyAV's side data and its frame hold each other, and stay until garbage is collected.
            self._mirrored = _is_mirrored(self._path, frame)
        # A picture turned over from left to right is, for FFmpeg, half a turn and one turned upside down.
        return (_quarter_turns(frame) + 2 * self._mirrored) % 4, self._mirrored


def _is_mirrored(path, frame: av.VideoFrame) -> bool:
    """Whether left and right are to change places, as some front cameras write into the header."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV does not know the kind of EXIF data, which a photo may have
        if Path(path).suffix.lower() not in IMAGE_SUFFIXES:
            return False
        from PIL import Image

        with Image.open(path) as photo:
            return photo.getexif().get(EXIF_ORIENTATION) in EXIF_MIRRORED
    if matrix is None:
        return False
    (a, b), (c, d) = np.frombuffer(matrix, np.int32)[:6].reshape(2, 3)[:, :2].astype(float)
    return a * d < b * c


def _upright_rgb(frame: av.VideoFrame, quarter_turns: int, mirrored: bool) -> np.ndarray:
    """Convert to RGB and undo the rotation a phone wrote into the header."""
    pixels = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels[:, ::-1] if mirrored else pixels, quarter_turns))


def read_window(path: str | os.PathLike, first: int, count: int) -> np.ndarray:
    """Read a few successive pictures of an MJPEG file, and nothing else of it but its index.

    Args:
        path: File written by ``VideoWriter(codec="mjpeg")``, of at most 1 GB.
        first: Number of the first frame.
        count: Number of frames.

    Returns:
        uint8 (count, H, W, 3), BGR.

    Raises:
        RuntimeError: The file ends earlier, or is damaged.
    """
    pictures = []
    for jpeg in read_jpegs(path, first, count):
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise RuntimeError(f"{path}: frame {first + len(pictures)} is damaged; run stage 3 again")
        pictures.append(picture)
    return np.stack(pictures)


def read_jpegs(path: str | os.PathLike, first: int, count: int) -> list[bytes]:
    """Read a few successive pictures of an MJPEG file as they are stored, each a JPEG file; see ``read_window``."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size <= SMALL_FILE:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
        index = _avi_index(file)
        if first + count > len(index):
            raise RuntimeError(
                f"{path}: frames {first}..{first + count - 1} wanted, it has {len(index)}; run stage 3 again"
            )
        begin, places = index[first, 0], index[first : first + count] - (index[first, 0], 0)
        file.seek(begin)
        data = file.read(places[-1].sum())
    jpegs = [data[start : start + size] for start, size in places]
    for number, jpeg in enumerate(jpegs, first):
        if not jpeg.startswith(JPEG_START):
            raise RuntimeError(f"{path}: frame {number} is damaged; run stage 3 again")
    return jpegs


def _avi_index(file: BinaryIO) -> np.ndarray:
    """Read where the pictures of an AVI file lie: int64 (T, 2), first byte and size; empty without an index.

    After twelve bytes the file is a row of chunks: four letters, a size, and as many bytes, made even. Those of
    the list "movi" are the pictures; "idx1", behind it, has four numbers for each, the last two of which are its
    place after the list's begin and its size (Microsoft, "AVI RIFF File Reference"). FFmpeg takes ten times as
    long to open the file.
    """
    file.seek(12)
    movi = 0
    while len(header := file.read(AVI_CHUNK.size)) == AVI_CHUNK.size:
        name, size = AVI_CHUNK.unpack(header)
        begin = file.tell()
        if name == b"idx1":
            entries = np.frombuffer(file.read(size), "<u4").reshape(-1, 4)
            return entries[:, 2:] + np.array([movi + AVI_CHUNK.size, 0])
        if name == b"LIST" and file.read(4) == b"movi":
            movi = begin
        file.seek(begin + size + size % 2)
    return np.zeros((0, 2), np.int64)
