"""Read the sound of any file; write WAV and FLAC."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

from silvertalk.utils import atomic_path


def read_audio(
    path: str | os.PathLike, sampling_rate: int | None = None, start: float = 0.0, end: float | None = None
) -> tuple[np.ndarray, int]:
    """Read the sound of an audio or video file as one channel.

    Sound is laid on the file's time line by its time stamps, so time 0 is the
    first video frame (or, in a file without video, the first sample). Damaged
    packets become silence of their length, and their number is logged.

    Args:
        path: Any file FFmpeg reads.
        sampling_rate: Wanted rate (Hz); None keeps the file's.
        start: First second wanted.
        end: Last second wanted (exclusive); None reads to the end.

    Returns:
        float32 (T,) in [-1, 1], and its rate (Hz).

    Raises:
        FileNotFoundError: No such file.
        RuntimeError: The file cannot be decoded, or holds no sound.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no sound file {path}")
    try:
        wav, rate = _decode(path)
    except av.FFmpegError as error:
        raise RuntimeError(f"{path}: cannot be decoded ({error.strerror}); check or replace the file") from error
    wav = wav[round(start * rate) : None if end is None else round(end * rate)]
    if sampling_rate and sampling_rate != rate:
        wav, rate = soxr.resample(wav, rate, sampling_rate), sampling_rate
    return np.ascontiguousarray(wav, np.float32), rate


def _decode(path: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Decode the first audio stream: float32 (T,) on the time line, and its rate."""
    with av.open(str(path), metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise RuntimeError(f"{path}: holds no sound; give another file")
        stream = container.streams.audio[0]
        rate = stream.codec_context.sample_rate
        line = _TimeLine(rate, _video_origin(container))
        for packet in _packets(container, stream, line):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                line.damaged += 1
                continue
            for frame in frames:
                if frame.sample_rate == rate:
                    line.add(frame.time, _to_mono(frame))
                else:  # a damaged header can claim anything
                    line.damaged += 1
            if packet.pts is not None and packet.duration:
                line.extend_to(float((packet.pts + packet.duration) * packet.time_base))
    if line.damaged:
        logging.warning("%s: %d damaged sound packets, replaced by silence", path, line.damaged)
    if not line.chunks:
        raise RuntimeError(f"{path}: no sound could be decoded ({line.damaged} damaged packets); replace the file")
    return line.samples(), rate


def _packets(container, stream, line: "_TimeLine") -> Iterator[av.Packet]:
    """Yield a stream's packets as far as the container can be read."""
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        line.damaged += 1


class _TimeLine:
    """Decoded pieces of sound, each at its time.

    Args:
        rate: Samples per second.
        origin: The time stamp (seconds) that is time 0; None takes the first piece's.
    """

    def __init__(self, rate: int, origin: float | None):
        self.rate, self.origin = rate, origin
        self.chunks: list[tuple[int, np.ndarray]] = []  # first sample on the time line, samples
        self.position = 0  # where the next piece goes if its stamp agrees
        self.end = 0  # where the container says that the sound ends (sample)
        self.damaged = 0  # packets

    def _at(self, time: float) -> int:
        if self.origin is None:
            self.origin = time
        return round((time - self.origin) * self.rate)

    def add(self, time: float | None, samples: np.ndarray) -> None:
        """Put a piece (T,) at its time stamp (seconds), or behind the last one."""
        stamped = self.position if time is None else self._at(time)
        # Stamps of many containers are rounded to 1 ms or 1/90000 s: follow them only over real gaps.
        if not self.chunks or abs(stamped - self.position) > 0.012 * self.rate:
            self.position = stamped
        self.chunks.append((self.position, samples))
        self.position += len(samples)

    def extend_to(self, time: float) -> None:
        """Note that a packet, damaged or not, lasts until this time stamp (seconds)."""
        self.end = max(self.end, self._at(time))

    def samples(self) -> np.ndarray:
        """Lay out the pieces: float32 (T,); gaps stay silent, what precedes time 0 is cut."""
        length = max(max(first + len(samples) for first, samples in self.chunks), 0)
        # Codecs work on blocks: the last one is filled up, by less than 2048 samples, and only its stamp tells.
        if 0 < length - self.end < 2048 or length < self.end:
            length = self.end
        wav = np.zeros(length, np.float32)
        for first, samples in self.chunks:
            samples = samples[max(-first, 0) :]
            place = wav[max(first, 0) :][: len(samples)]
            place[:] = samples[: len(place)]
        return wav


def _video_origin(container: av.container.InputContainer) -> float | None:
    """Time of the first video frame (seconds), None without video."""
    for video in container.streams.video:
        if video.start_time is not None and not video.disposition & av.stream.Disposition.attached_pic:
            return float(video.start_time * video.time_base)
    return None


def _to_mono(frame: av.AudioFrame) -> np.ndarray:
    """Average the channels: float32 (T,) in [-1, 1]."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    if samples.dtype.kind == "u":
        samples = samples.astype(np.float32) / 128 - 1
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / (np.iinfo(samples.dtype).max + 1)
    return samples.mean(axis=0).astype(np.float32)


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
