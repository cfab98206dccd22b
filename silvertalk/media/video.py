"""Read video at a constant rate by time stamps; write H.264 + AAC."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from silvertalk.utils import atomic_path

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
# AAC and H.264 work on blocks; two frames of silence more would be heard as a late end.
AAC_BIT_RATE = 128_000
JPEG_START = b"\xff\xd8"
CHUNK_HEADER = 8  # bytes before a picture in an AVI file; the demuxer counts them or not, by version


@dataclass
class MediaInfo:
    """What a file says about itself."""

    duration: float  # seconds; 0 where the container does not say
    fps: float  # average frame rate, 0 without video
    width: int  # pixels as displayed, 0 without video
    height: int
    has_audio: bool
    is_image: bool  # a still picture


def _open(path: str | os.PathLike) -> av.container.InputContainer:
    """Open a file or say in one sentence why not."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no video file {path}")
    try:
        return av.open(str(path), metadata_errors="ignore")
    except av.FFmpegError as error:
        raise RuntimeError(f"{path}: is not a readable video ({error.strerror}); check or replace the file") from error


def probe(path: str | os.PathLike) -> MediaInfo:
    """Read the header of a media file.

    Raises:
        FileNotFoundError: No such file.
        RuntimeError: Not a media file.
    """
    with _open(path) as container:
        video = container.streams.video[0] if container.streams.video else None
        duration = float(container.duration or 0) / av.time_base
        width, height = (video.codec_context.width, video.codec_context.height) if video else (0, 0)
        if video and _is_turned(container):
            width, height = height, width
        return MediaInfo(
            duration=duration,
            fps=float(video.average_rate or 0) if video else 0.0,
            width=width,
            height=height,
            has_audio=bool(container.streams.audio),
            is_image=Path(path).suffix.lower() in IMAGE_SUFFIXES,
        )


def _is_turned(container: av.container.InputContainer) -> bool:
    """Whether the picture is shown turned by a quarter; only a decoded frame tells."""
    try:
        return bool(_quarter_turns(next(container.decode(video=0))) % 2)
    except (av.FFmpegError, StopIteration):
        return False


def read_frames(
    path: str | os.PathLike, fps: float = 25.0, start: float = 0.0, end: float | None = None
) -> Iterator[np.ndarray]:
    """Decode a video at a constant frame rate, one frame in memory at a time.

    Output frame k is what a player shows at ``start + k / fps``: the last
    source frame whose time stamp (counted from the first frame's) is not
    later, so variable and 29.97 fps input stays in step with its sound.

    Args:
        path: A video, or a still picture (one frame).
        fps: Output frames per second.
        start: First second wanted.
        end: Last second wanted (exclusive); None reads to the end.

    Yields:
        uint8 (H, W, 3), RGB, turned upright.

    Raises:
        FileNotFoundError: No such file.
        RuntimeError: No frame could be decoded.
    """
    with _open(path) as container:
        if not container.streams.video:
            raise RuntimeError(f"{path}: holds no picture; give a video or a photo")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        origin = float((stream.start_time or 0) * stream.time_base)
        if start > 0:
            # A little earlier: some containers (MPEG-PS) seek by estimated bytes.
            container.seek(int(max(0.0, start - 0.5 + origin) * av.time_base), backward=True)
        yield from _resample(_timed_frames(path, container, stream, origin), fps, start, end)


def _timed_frames(path, container, stream, origin: float) -> Iterator[tuple[float, float, av.VideoFrame]]:
    """Yield (seconds since the first frame, seconds it lasts, frame); damaged packets are passed over."""
    nominal = 1.0 / float(stream.average_rate or stream.guessed_rate or 25)
    time, count = -nominal, 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        for frame in frames:
            time = frame.time - origin if frame.time is not None else time + nominal
            count += 1
            yield time, nominal, frame
    if not count:
        raise RuntimeError(f"{path}: no picture could be decoded; check or replace the file")


def _resample(timed_frames, fps: float, start: float, end: float | None) -> Iterator[np.ndarray]:
    """Repeat and drop frames so that output k shows time ``start + k / fps``."""
    # Half a tick of 1/1000 s containers: a stamp of 0.0400004 still counts as 0.04.
    tolerance = 0.002
    k, shown, pixels = 0, None, None
    until = float("inf") if end is None else end - tolerance

    def emit(before: float) -> Iterator[np.ndarray]:
        """Show the current frame at every output time earlier than ``before``."""
        nonlocal k, pixels
        while start + k / fps < min(before, until):
            if pixels is None:
                pixels = _upright(shown)
            yield pixels
            k += 1

    last_end = 0.0
    for time, lasts, frame in timed_frames:
        if shown is not None:
            yield from emit(time - tolerance)
        shown, pixels, last_end = frame, None, time + lasts
        if start + k / fps >= until:
            return
    if shown is not None:
        yield from emit(last_end - tolerance)


def _quarter_turns(frame: av.VideoFrame) -> int:
    """Quarter turns, against the clock, that set a frame upright (0-3)."""
    return round((getattr(frame, "rotation", 0) or 0) / 90) % 4


def _upright(frame: av.VideoFrame) -> np.ndarray:
    """Convert to RGB and undo the rotation a phone wrote into the header."""
    pixels = frame.to_ndarray(format="rgb24")
    turns = _quarter_turns(frame)
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def index_frames(path: str | os.PathLike) -> np.ndarray:
    """Find where the pictures of an MJPEG file lie, so that any of them can be read without the others.

    Args:
        path: File written by ``VideoWriter(codec="mjpeg")``.

    Returns:
        int64 (T, 2): first byte and number of bytes.
    """
    with _open(path) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(container.streams.video[0]) if packet.size]
    return np.array(packets, np.int64).reshape(-1, 2)


def read_window(path: str | os.PathLike, index: np.ndarray, first: int, count: int) -> np.ndarray:
    """Read a few successive pictures of an MJPEG file.

    Args:
        path: File written by ``VideoWriter(codec="mjpeg")``.
        index: From ``index_frames``.
        first: Number of the first frame.
        count: Number of frames.

    Returns:
        uint8 (count, H, W, 3), BGR.

    Raises:
        RuntimeError: The file ends earlier, or is damaged.
    """
    if first + count > len(index):
        raise RuntimeError(
            f"{path}: frames {first}..{first + count - 1} wanted, it has {len(index)}; run stage 3 again"
        )
    begin, end = index[first, 0], index[first + count - 1].sum() + CHUNK_HEADER
    with open(path, "rb") as file:
        file.seek(begin)
        data = file.read(end - begin)
    frames = []
    for position, size in index[first : first + count] - (begin, 0):
        start = data.find(JPEG_START, position, position + CHUNK_HEADER + 2)
        picture = cv2.imdecode(np.frombuffer(data, np.uint8, size, start), cv2.IMREAD_COLOR) if start >= 0 else None
        if picture is None:
            raise RuntimeError(f"{path}: a picture near frame {first} is damaged; run stage 3 again")
        frames.append(picture)
    return np.stack(frames)


class VideoWriter:
    """Write RGB frames, and optionally sound, to a file that appears only when whole.

    Args:
        path: Output; the suffix chooses the container (.mp4; .avi for ``codec="mjpeg"``).
        fps: Frames per second.
        audio: Sound float (T,) in [-1, 1], or None.
        sampling_rate: Of ``audio`` (Hz).
        codec: ``libx264`` or ``mjpeg`` (every frame alone: cheap to seek in).
        quality: CRF of H.264 (0-51, lower is better), or qscale of MJPEG (1-31).

    Example:
        ``with VideoWriter("out.mp4", 25, audio, 16000) as out:``
        ``    out.write(frame)``
    """

    def __init__(
        self,
        path: str | os.PathLike,
        fps: float,
        audio: np.ndarray | None = None,
        sampling_rate: int | None = None,
        codec: str = "libx264",
        quality: int = 18,
    ):
        self._fps = Fraction(fps).limit_denominator(1001)
        self._audio, self._sampling_rate = audio, sampling_rate
        self._codec, self._quality = codec, quality
        self._stream = None
        self._sound_done = 0  # samples already encoded
        self.num_frames = 0
        self._path, self._atomic = path, atomic_path(path)

    def __enter__(self):
        temporary = self._atomic.__enter__()
        try:
            temporary.touch()  # FFmpeg opens the file only with the first frame, when minutes may have passed
        except OSError as error:
            raise OSError(f"cannot write {self._path} ({error.strerror}); choose another folder") from error
        self._container = av.open(str(temporary), "w")
        return self

    def __exit__(self, kind, error, traceback):
        try:
            if kind is None:
                self._finish()
        except BaseException as problem:
            self._container.close()
            self._atomic.__exit__(type(problem), problem, problem.__traceback__)
            raise
        self._container.close()
        return self._atomic.__exit__(kind, error, traceback)

    def _open_streams(self, height: int, width: int) -> None:
        """Add the streams once the picture size is known."""
        self._stream = self._container.add_stream(self._codec, rate=self._fps)
        # 4:2:0 needs even sides; an odd last row or column is repeated, not cut.
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        if self._codec == "mjpeg":
            self._stream.pix_fmt = "yuvj420p"
            self._stream.codec_context.qmin = self._stream.codec_context.qmax = self._quality
        else:
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"crf": str(self._quality), "preset": "veryfast"}
        self._sound = None
        if self._audio is not None:
            self._sound = self._container.add_stream("aac", rate=self._sampling_rate, layout="mono")
            self._sound.bit_rate = AAC_BIT_RATE

    def write(self, rgb: np.ndarray) -> None:
        """Append one frame, uint8 (H, W, 3)."""
        if self._stream is None:
            self._open_streams(*rgb.shape[:2])
        pad = [(0, self._stream.height - rgb.shape[0]), (0, self._stream.width - rgb.shape[1]), (0, 0)]
        frame = av.VideoFrame.from_ndarray(np.pad(rgb, pad, mode="edge") if any(p[1] for p in pad) else rgb, "rgb24")
        frame.pts, frame.time_base = self.num_frames, 1 / self._fps
        self._container.mux(self._stream.encode(frame))
        self.num_frames += 1
        self._write_sound(until=round(self.num_frames / self._fps * (self._sampling_rate or 0)))

    def _write_sound(self, until: int) -> None:
        """Encode the sound up to a sample, so that both streams stay side by side in the file."""
        if self._sound is None:
            return
        samples = np.clip(self._audio[self._sound_done : until], -1, 1).astype(np.float32)
        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = self._sampling_rate, self._sound_done
        frame.time_base = Fraction(1, self._sampling_rate)
        self._container.mux(self._sound.encode(frame))
        self._sound_done += len(samples)

    def _finish(self) -> None:
        if self._stream is None:
            raise RuntimeError("no frame was written")
        self._write_sound(until=len(self._audio) if self._audio is not None else 0)
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._container.mux(self._sound.encode(None))
