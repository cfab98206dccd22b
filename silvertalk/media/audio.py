"""Read the sound of any file; write WAV and FLAC."""

import contextlib
import functools
import io
import logging
import os
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

from silvertalk.utils import atomic_path

# Containers with an index or an even rate, whose stamps hold after a leap; others are decoded from the beginning.
SEEKABLE = {"mov", "mp4", "matroska", "webm", "wav", "flac"}
# A sound in a Kaldi archive, as ESPnet's flac.ark and wav.ark have them, goes by the archive's name and its offset.
IN_ARCHIVE = re.compile(r"(.+\.ark):(\d+)")
SEEK_FROM, SEEK_LEAD = 5.0, 1.0  # seconds; codecs need some packets before the first right sample


def read_audio(
    path: str | os.PathLike,
    sampling_rate: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    channel: int | None = None,
) -> tuple[np.ndarray, int]:
    """Read the sound of an audio or video file as one channel.

    Sound is laid on the file's time line by its time stamps, so time 0 is the
    first video frame (or, in a file without video, the first sample). Damaged
    packets become silence of their length, and their number is logged.

    Args:
        path: Any file FFmpeg reads, or a sound in a Kaldi archive, "file.ark:offset".
        sampling_rate: Wanted rate (Hz); None keeps the file's.
        start: First second wanted.
        end: Last second wanted (exclusive); None reads to the end.
        channel: Number of the only channel wanted, from 1; None mixes all.

    Returns:
        float32 (T,) in [-1, 1], and its rate (Hz).

    Raises:
        FileNotFoundError: No such file.
        RuntimeError: The file cannot be decoded, or holds no sound.
        ValueError: It has no such channel.
    """
    rate = sampling_rate or sound_info(path)[0]
    data = bytearray()  # grows in place, so that the sound is never held twice
    for piece in read_sound(path, sampling_rate, start, end, channel=channel):
        data += piece.tobytes()
    return np.frombuffer(data, np.float32), rate


def read_sound(
    path: str | os.PathLike,
    sampling_rate: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    channels: int = 1,
    block: float = 1.0,
    channel: int | None = None,
) -> Iterator[np.ndarray]:
    """Read the sound of a file piece by piece, in memory that does not grow with its length.

    The time line is that of ``read_audio``. More than two channels are mixed
    down for speech: the centre, which carries it, is as loud as a side, what
    is behind or above half as loud, and the bass effects are left out; no sum
    exceeds full scale. Unnamed channels count as 5.1 or 7.1 if there are 6 or
    8, and are averaged otherwise.

    Args:
        path: Any file FFmpeg reads, or a sound in a Kaldi archive, "file.ark:offset".
        sampling_rate: Wanted rate (Hz); None keeps the file's.
        start: First second wanted.
        end: Last second wanted (exclusive); None reads to the end.
        channels: 1, or 2 (left, right).
        block: Length of a piece (seconds), roughly.
        channel: Number of the only channel of the file that is wanted, from 1; None mixes all.

    Returns:
        Iterator of float32 (channels, n) in [-1, 1], n > 0. A file that cannot
        be decoded or holds no sound raises RuntimeError while it is read, one
        without the channel ValueError.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Neither one channel nor two, or no positive block.

    Example:
        >>> loudest = max(np.abs(piece).max() for piece in read_sound("speech.flac"))
    """
    if channels not in (1, 2):
        raise ValueError(f"sound of {channels} channels was asked for; ask for 1 or 2")
    if block <= 0:
        raise ValueError(f"pieces of {block} s were asked for; give more than 0")
    _check_is_file(path)
    return _read_pieces(path, sampling_rate, start, end, channels, block, channel)


def sound_info(path: str | os.PathLike) -> tuple[int, int]:
    """Look up the rate (Hz) and the number of channels of a file's sound.

    Raises:
        FileNotFoundError: No such file.
        RuntimeError: The file cannot be opened, or holds no sound.
    """
    _check_is_file(path)
    with _opened(path) as (_, stream):
        return stream.codec_context.sample_rate, stream.codec_context.channels


def _check_is_file(path: str | os.PathLike) -> None:
    archive = IN_ARCHIVE.fullmatch(str(path))
    if not Path(archive[1] if archive else path).is_file():
        raise FileNotFoundError(f"no sound file {path}")


def _source(path: str | os.PathLike) -> str | io.BytesIO:
    """What FFmpeg opens: a file's name, or the bytes of an archive's entry."""
    archive = IN_ARCHIVE.fullmatch(str(path))
    if not archive:
        return str(path)
    with open(archive[1], "rb") as ark:
        ark.seek(int(archive[2]))
        head = ark.read(8)
        if head.startswith(b"AUDIO") and len(head) > 5:  # then the number of bytes of the length, and the length
            ark.seek(int(archive[2]) + 6)
            entry = ark.read(int.from_bytes(ark.read(head[5]), "little"))
        elif head.startswith(b"RIFF"):
            entry = head + ark.read(int.from_bytes(head[4:], "little"))
        else:
            raise RuntimeError(f"{path}: no sound begins there; run the stage that wrote the archive again")
    return io.BytesIO(entry)


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[tuple[av.container.InputContainer, av.AudioStream]]:
    """Open a file and its first audio stream; FFmpeg's errors name the file."""
    try:
        with av.open(_source(path), metadata_errors="ignore") as container:
            # A damaged header names an unknown codec, or no rate.
            known = (s for s in container.streams.audio if s.codec_context and s.codec_context.sample_rate)
            stream = next(known, None)
            if stream is None:
                raise RuntimeError(f"{path}: holds no sound that can be decoded; give another file")
            yield container, stream
    except av.FFmpegError as error:
        raise RuntimeError(f"{path}: cannot be decoded ({error.strerror}); check or replace the file") from error


def _read_pieces(path, sampling_rate, start, end, channels, block, channel) -> Iterator[np.ndarray]:
    """Decode, cut and resample, piece by piece: float32 (channels, n)."""
    with _opened(path) as (container, stream):
        rate = stream.codec_context.sample_rate
        if channel is not None and not 1 <= channel <= stream.codec_context.channels:
            raise ValueError(f"{path}: has {stream.codec_context.channels} channels, and no channel {channel}")
        line = _TimeLine(rate, channels, _video_origin(container), max(1, round(block * rate)))
        begin = _seek(container, stream, line, start)
        first, last = (None if time is None else max(0, round(time * rate)) - begin for time in (start, end))
        try:
            pieces = _decode(path, container, stream, line, channel)
            pieces = _span(pieces, first, last)
            if sampling_rate and sampling_rate != rate:
                pieces = _resample(pieces, rate, sampling_rate, channels)
            yield from pieces
        finally:
            if line.damaged:
                logging.warning("%s: %d damaged sound packets, replaced by silence", path, line.damaged)


def _seek(container, stream, line: "_TimeLine", start: float) -> int:
    """Go to shortly before a time (seconds): the sample at which the time line begins then, 0 where one cannot go.

    Without it the sentences of an hour's recording would cost an hour of decoding each.
    """
    if start < SEEK_FROM or not SEEKABLE & set(container.format.name.split(",")) or stream.start_time is None:
        return 0
    if line.origin is None:
        line.origin = float(stream.start_time * stream.time_base)
    begin = round((start - SEEK_LEAD) * line.rate)
    container.seek(round((line.origin + start - SEEK_LEAD) * av.time_base))
    line.begin_at(begin)
    return begin


def _decode(
    path: str | os.PathLike, container, stream, line: "_TimeLine", channel: int | None = None
) -> Iterator[np.ndarray]:
    """Decode a stream: float32 (channels, n), the pieces of the time line."""
    for packet in _packets(container, stream, line):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            line.damaged += 1
            continue
        for frame in frames:
            if frame.sample_rate == line.rate:
                line.add(frame.time, _mix(_to_float(frame), frame.layout, line.channels, channel))
            else:  # a damaged header can claim anything
                line.damaged += 1
        if packet.pts is not None and packet.duration:
            line.extend_to(float((packet.pts + packet.duration) * packet.time_base))
        yield from line.ready()
    if not line.started:
        raise RuntimeError(f"{path}: no sound could be decoded ({line.damaged} damaged packets); replace the file")
    yield from line.rest()


def _packets(container, stream, line: "_TimeLine") -> Iterator[av.Packet]:
    """Yield a stream's packets as far as the container can be read."""
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        line.damaged += 1


def _span(pieces: Iterator[np.ndarray], first: int, last: int | None) -> Iterator[np.ndarray]:
    """Keep the samples [first, last) of consecutive pieces (channels, n); read no further."""
    position = 0
    for piece in pieces:
        kept = piece[:, max(first - position, 0) : None if last is None else max(last - position, 0)]
        position += piece.shape[1]
        if kept.shape[1]:
            yield kept
        if last is not None and position >= last:
            return


def _resample(pieces: Iterator[np.ndarray], rate: int, sampling_rate: int, channels: int) -> Iterator[np.ndarray]:
    """Resample consecutive pieces (channels, n); the sum is what resampling them at once gives."""
    resampler = soxr.ResampleStream(rate, sampling_rate, channels)
    for piece in pieces:
        resampled = resampler.resample_chunk(np.ascontiguousarray(piece.T))
        if len(resampled):  # the first pieces may be shorter than the resampler's delay
            yield np.ascontiguousarray(resampled.T)
    resampled = resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True)
    if len(resampled):
        yield np.ascontiguousarray(resampled.T)


class _TimeLine:
    """Decoded pieces of sound, each at its time; what can no longer change is handed out.

    Stamps can go back: the newest ``HOLD`` seconds are kept, and later pieces
    replace earlier ones there. A leap beyond ``HOLD`` counts once two stamps
    in a row agree on it: forwards it is a gap, backwards (or beyond any
    plausible gap) the clock was set anew, and the sound goes on where it was.

    Args:
        rate: Samples per second.
        channels: Of every piece.
        origin: The time stamp (seconds) that is time 0; None takes the first piece's.
        block: Samples handed out at once.
    """

    HOLD = 2.0  # seconds
    SLACK = 0.012  # seconds; stamps of many containers are rounded to 1 ms or 1/90000 s
    LONGEST_GAP = 3600.0  # seconds

    def __init__(self, rate: int, channels: int, origin: float | None, block: int):
        self.rate, self.channels, self.origin, self.block = rate, channels, origin, block
        self.hold = max(round(self.HOLD * rate), 2048)  # at least what may be cut at the end
        self.chunks: deque[tuple[int, np.ndarray]] = deque()  # first sample on the time line, samples
        self.started = False
        self.given = 0  # samples handed out
        self.position = 0  # where the next piece goes if its stamp agrees
        self.doubtful: int | None = None  # where it goes if the last stamp, a leap, was right
        self.length = 0  # behind the last sample
        self.end = 0  # where the container says that the sound ends (sample)
        self.damaged = 0  # packets

    def begin_at(self, sample: int) -> None:
        """Leave out what precedes a sample; to be called before anything is added."""
        self.given = self.position = sample

    def _at(self, time: float) -> int:
        if self.origin is None:
            self.origin = time
        return round((time - self.origin) * self.rate)

    def add(self, time: float | None, samples: np.ndarray) -> None:
        """Put a piece (channels, n) at its time stamp (seconds), or behind the last one."""
        stamped = self.position if time is None else self._at(time)
        leap = stamped - self.position
        if self.started and abs(leap) > self.hold:
            self._leap(stamped, samples.shape[1])
        else:
            self.doubtful = None
            if not self.started or abs(leap) > self.SLACK * self.rate:
                self.position = stamped
        self.started = True
        self.chunks.append((self.position, samples))
        self.position += samples.shape[1]
        self.length = max(self.length, self.position)

    def _leap(self, stamped: int, num_samples: int) -> None:
        """Move the position to a far stamp if the one before agrees; damage makes single false stamps."""
        leap = stamped - self.position
        if self.doubtful is None or abs(stamped - self.doubtful) > self.SLACK * self.rate:
            self.doubtful = stamped + num_samples
            return
        if 0 < leap <= self.LONGEST_GAP * self.rate:
            _, doubted = self.chunks.pop()  # was put before the gap
            self.chunks.append((self.doubtful - doubted.shape[1], doubted))
            self.position = self.doubtful
        else:
            self.origin += leap / self.rate
        self.doubtful = None

    def extend_to(self, time: float) -> None:
        """Note that a packet, damaged or not, lasts until this time stamp (seconds)."""
        end = self._at(time)
        if end - max(self.end, self.position) <= self.hold:  # farther away it is a damaged stamp
            self.end = max(self.end, end)

    def ready(self) -> Iterator[np.ndarray]:
        """Hand out the blocks that no later stamp changes: float32 (channels, block)."""
        while self.length - self.hold - self.given >= self.block:
            yield self._take(self.given + self.block)

    def rest(self) -> Iterator[np.ndarray]:
        """Hand out what is left: float32 (channels, n)."""
        length = self.length
        # Codecs work on blocks: the last one is filled up, by less than 2048 samples, and only its stamp tells.
        if 0 < length - self.end < 2048 or length < self.end:
            length = self.end
        while self.given < length:
            yield self._take(min(self.given + self.block, length))

    def _take(self, last: int) -> np.ndarray:
        """Lay out the samples before ``last``; gaps stay silent, what precedes time 0 is cut."""
        block = np.zeros((self.channels, last - self.given), np.float32)
        for first, samples in self.chunks:
            samples = samples[:, max(self.given - first, 0) :]
            place = block[:, max(first - self.given, 0) :][:, : samples.shape[1]]
            place[:] = samples[:, : place.shape[1]]
        self.given = last
        while self.chunks and self.chunks[0][0] + self.chunks[0][1].shape[1] <= last:
            self.chunks.popleft()
        return block


def _video_origin(container: av.container.InputContainer) -> float | None:
    """Time of the first video frame (seconds), None without video."""
    for video in container.streams.video:
        if video.start_time is not None and not video.disposition & av.stream.Disposition.attached_pic:
            return float(video.start_time * video.time_base)
    return None


def _to_float(frame: av.AudioFrame) -> np.ndarray:
    """Samples of a frame: floating point (C, n) in [-1, 1]."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    if samples.dtype.kind == "u":
        return samples.astype(np.float32) / 128 - 1
    if samples.dtype.kind == "i":
        return samples.astype(np.float32) / (np.iinfo(samples.dtype).max + 1)
    # Damage to floating-point sound can make any number, and one that is not finite spreads in every filter.
    return np.where(np.isfinite(samples), samples, 0)


def _mix(samples: np.ndarray, layout: av.AudioLayout, channels: int, channel: int | None) -> np.ndarray:
    """Mix (C, n), or take one channel of it, to float32 (1, n) or (2, n); one channel is doubled."""
    if channel is not None:
        samples = samples[[min(channel, len(samples)) - 1]]
    elif len(samples) > 2:
        names = tuple(channel.name for channel in layout.channels)
        samples = _downmix(names).astype(samples.dtype) @ samples
    if channels == 1:
        samples = samples.mean(axis=0, keepdims=True)
    return np.broadcast_to(samples, (channels, samples.shape[1])).astype(np.float32)


@functools.cache
def _downmix(names: tuple[str, ...]) -> np.ndarray:
    """Weights (2, C) of channels, by FFmpeg's names, in left and right; every row sums up to 1."""
    if set(names) == {"NONE"} and len(names) in (6, 8):  # the order of WAV and FFmpeg
        names = ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR")[: len(names)]
    front = {"FL": (1, 0), "FR": (0, 1), "FC": (1, 1), "FLC": (1, 0), "FRC": (0, 1), "LFE": (0, 0), "LFE2": (0, 0)}
    sides = {"L": (0.5, 0), "R": (0, 0.5), "C": (0.5, 0.5)}  # SL, BR, TFL, BC ...
    weights = np.array([front.get(name, sides.get(name[-1], (1, 1))) for name in names], np.float32).T
    total = weights.sum(axis=1, keepdims=True)
    return weights / total if total.all() else np.full((2, len(names)), 1 / len(names), np.float32)


def write_audio(path: str | os.PathLike, wav: np.ndarray, sampling_rate: int) -> None:
    """Write 16-bit sound atomically; the suffix (.wav, .flac) chooses the format.

    Args:
        path: Output file.
        wav: (T,) in [-1, 1]; louder samples are clipped.
        sampling_rate: Hz.

    Raises:
        RuntimeError: It cannot be written.
    """
    with atomic_path(path) as temporary:
        try:
            soundfile.write(temporary, np.clip(wav, -1, 1), sampling_rate, subtype="PCM_16")
        except soundfile.LibsndfileError as error:  # does not name the file
            raise RuntimeError(
                f"{path}: cannot be written ({error.error_string}); check the free space and the permissions"
            ) from error
