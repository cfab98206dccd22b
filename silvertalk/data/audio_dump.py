"""The audio dump of stage 2: one sound file per utterance, at one rate."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from silvertalk.data.kaldi import Utterance
from silvertalk.data.parts import PartWriter
from silvertalk.media import read_audio, write_audio
from silvertalk.media.trim import speech_bounds
from silvertalk.utils import progress

MIN_SOUND = 0.1  # seconds
SILENT = 1e-4  # peak, -80 dB


def dump_audio(
    utterances: Sequence[Utterance],
    out_dir: str | os.PathLike,
    job: int,
    fs: int,
    audio_format: str = "flac",
    trim_silence: bool = True,
) -> None:
    """Dump the sound of one job's utterances; unusable ones are recorded as skipped.

    Args:
        utterances: With ``wav`` set.
        out_dir: The dump folder; sound goes to ``data/<spk>/<utt_id>.<format>``.
        job: 1-based number of the job.
        fs: Sampling rate (Hz).
        audio_format: ``flac`` or ``wav``.
        trim_silence: Cut silence at both ends, but for 0.1 s.
    """
    with PartWriter(out_dir, job) as out:
        todo = [utterance for utterance in utterances if utterance.utt_id not in out.done]
        for utterance in progress(todo, desc=f"audio {job}"):
            try:
                wav = usable_sound(utterance, fs, trim_silence)
            except (RuntimeError, ValueError, FileNotFoundError) as error:
                logging.warning("skipped %s: %s", utterance.utt_id, error)
                out.skip(utterance.utt_id, str(error))
                continue
            path = (Path(out_dir) / "data" / utterance.spk / f"{utterance.utt_id}.{audio_format}").absolute()
            write_audio(path, wav, fs)
            values = {"wav.scp": str(path), "utt2num_samples": len(wav), "utt2spk": utterance.spk}
            out.add(utterance.utt_id, {}, values if utterance.text is None else {**values, "text": utterance.text})


def usable_sound(utterance: Utterance, fs: int, trim_silence: bool) -> np.ndarray:
    """Read an utterance's sound.

    Returns:
        float32 (T,) at ``fs``.

    Raises:
        ValueError: There is none, or nothing to be heard.
        RuntimeError: It cannot be decoded.
        FileNotFoundError: The file is missing.
    """
    if utterance.wav is None:
        raise ValueError("has no sound; add it to wav.scp")
    if utterance.text is not None and not utterance.text.strip():
        raise ValueError("has an empty transcript; correct it in text")
    wav, _ = read_audio(utterance.wav, fs, utterance.start, utterance.end)
    if len(wav) < MIN_SOUND * fs:
        raise ValueError(f"{utterance.wav}: has {len(wav) / fs:.3f} s of sound, less than {MIN_SOUND} s")
    if np.abs(wav).max() < SILENT:
        raise ValueError(f"{utterance.wav}: is silent")
    if not trim_silence:
        return wav
    first, last = speech_bounds(wav, fs)
    return wav[first:last]
