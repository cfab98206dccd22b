"""Read the sound of any file; write WAV and FLAC."""

import logging
import os
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
        origin = _video_origin(container)
        chunks: list[tuple[int, np.ndarray]] = []  # first sample on the time line, samples
        damaged = 0
        position = None
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                damaged += 1
                continue
            for frame in frames:
                if frame.sample_rate != rate:  # a damaged header can claim anything
                    damaged += 1
                    continue
                samples = _to_mono(frame)
                if frame.time is not None:
                    if origin is None:
                        origin = frame.time
                    stamped = round((frame.time - origin) * rate)
                    # Stamps of many containers are rounded to 1 ms or 1/90000 s: follow them only over real gaps.
                    if position is None or abs(stamped - position) > 0.012 * rate:
                        position = stamped
                chunks.append((position or 0, samples))
                position = (position or 0) + len(samples)
    if damaged:
        logging.warning("%s: %d damaged sound packets, replaced by silence", path, damaged)
    if not chunks:
        raise RuntimeError(f"{path}: no sound could be decoded ({damaged} damaged packets); replace the file")
    return _lay_out(chunks), rate


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


def _lay_out(chunks: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """Place chunks at their positions; gaps stay silent, what precedes time 0 is cut."""
    wav = np.zeros(max(max(first + len(x) for first, x in chunks), 0), np.float32)
    for first, samples in chunks:
        samples = samples[max(-first, 0) :]
        first = max(first, 0)
        wav[first : first + len(samples)] = samples
    return wav


def write_audio(path: str | os.PathLike, wav: np.ndarray, sampling_rate: int) -> None:
    """Write 16-bit sound atomically; the suffix (.wav, .flac) chooses the format.

    Args:
        path: Output file.
        wav: (T,) in [-1, 1]; louder samples are clipped.
        sampling_rate: Hz.
    """
    with atomic_path(path) as temporary:
        soundfile.write(temporary, np.clip(wav, -1, 1), sampling_rate, subtype="PCM_16")
