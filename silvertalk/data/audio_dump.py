"""The audio dump of stage 2: the sound of every utterance, at one rate."""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from silvertalk.data.kaldi import Utterance
from silvertalk.data.parts import PartWriter, Sound
from silvertalk.media import read_audio, write_audio
from silvertalk.media.speech import level_speech
from silvertalk.media.trim import speech_bounds
from silvertalk.utils import progress

FORMATS = ("flac", "wav", "flac.ark", "wav.ark")
MIN_SOUND = 0.1  # seconds
SILENT = -80.0  # dBFS of the peak
FULL_SCALE = 0.9995  # what is louder stands at the limit of 16 bits, or of codecs a little below it


@dataclass(frozen=True)
class DumpOptions:
    """How sound is dumped."""

    fs: int = 16000  # sampling rate (Hz)
    audio_format: str = "flac"  # flac or wav: a file for each utterance; flac.ark or wav.ark: an archive for each job
    trim_silence: bool = True  # cut silence at both ends, but for 0.1 s
    channel: int | None = None  # of several, the only one used, from 1; None mixes them
    level: float | None = None  # dB, root mean square to which the speech is brought; None leaves it as recorded

    def __post_init__(self):
        if self.audio_format not in FORMATS:
            raise ValueError(f"--audio_format takes {', '.join(FORMATS)}, not '{self.audio_format}'")
        if self.fs < 8000:
            raise ValueError(f"--fs {self.fs}: speech needs at least 8000 Hz")


@dataclass(frozen=True)
class Recording:
    """The usable sound of an utterance, and what tells whether it was recorded well."""

    wav: np.ndarray  # float32 (T,) at the wanted rate
    rate: int  # Hz it was recorded at
    peak: float  # dBFS
    clipping: float  # share of samples that were cut off at full scale


def dump_audio(utterances: Sequence[Utterance], out_dir: str | os.PathLike, job: int, options: DumpOptions) -> None:
    """Dump the sound of one job's utterances; unusable ones are recorded as skipped.

    Args:
        utterances: With ``wav`` set.
        out_dir: The dump folder; sound goes to ``data/<spk>/<utt_id>.<format>``, or to archives in ``parts/``. Beside
            the tables of a data directory it gets ``utt2num_samples``, ``utt2peak`` (dBFS) and ``utt2clipping`` (share
            of the samples).
        job: 1-based number of the job.
        options: See ``DumpOptions``.
    """
    rates: Counter[int] = Counter()
    with PartWriter(out_dir, job) as out:
        todo = [utterance for utterance in utterances if utterance.utt_id not in out.done]
        for utterance in progress(todo, desc=f"audio {job}"):
            try:
                recording = read_recording(utterance, options)
            except (RuntimeError, ValueError, FileNotFoundError) as error:
                logging.warning("skipped %s: %s", utterance.utt_id, error)
                out.skip(utterance.utt_id, str(error))
                continue
            rates[recording.rate] += 1
            _write(out, utterance, recording, Path(out_dir) / "data", options)
    for rate, number in sorted(rates.items()):
        below = f", less than the {options.fs} Hz wanted: nothing above {rate / 2:.0f} Hz is in them"
        logging.info("%d recordings of %d Hz%s", number, rate, below if rate < options.fs else "")


def _write(out: PartWriter, utterance: Utterance, recording: Recording, folder: Path, options: DumpOptions) -> None:
    """Write an utterance's sound and its entries in the tables."""
    values = {
        "utt2num_samples": len(recording.wav),
        "utt2peak": f"{recording.peak:.1f}",
        "utt2clipping": f"{recording.clipping:.6f}",
        "utt2spk": utterance.spk,
        "text": utterance.text,
        "utt2lang": utterance.lang,
    }
    values, sounds = {name: value for name, value in values.items() if value is not None}, {}
    form = options.audio_format.removesuffix(".ark")
    if form != options.audio_format:
        sounds = {"wav": Sound(recording.wav, options.fs, form)}
    else:
        path = (folder / utterance.spk / f"{utterance.utt_id}.{form}").absolute()
        write_audio(path, recording.wav, options.fs)
        values["wav.scp"] = str(path)
    out.add(utterance.utt_id, sounds, values)


def read_recording(utterance: Utterance, options: DumpOptions) -> Recording:
    """Read an utterance's sound.

    Raises:
        ValueError: There is none, or nothing to be heard, or nothing is said of what is heard.
        RuntimeError: It cannot be decoded.
        FileNotFoundError: The file is missing.
    """
    if utterance.wav is None:
        raise ValueError("has no sound; add it to wav.scp")
    if utterance.text is not None and not utterance.text.strip():
        raise ValueError("has no transcript, or an empty one; correct it in text")
    recorded, rate = read_audio(utterance.wav, None, utterance.start, utterance.end, options.channel)
    wav = recorded if rate == options.fs else soxr.resample(recorded, rate, options.fs)
    if len(wav) < MIN_SOUND * options.fs:
        raise ValueError(f"{utterance.wav}: has {len(wav) / options.fs:.3f} s of sound, less than {MIN_SOUND} s")
    peak = 20 * np.log10(max(np.abs(wav).max(), 1e-6))
    if peak < SILENT:
        raise ValueError(f"{utterance.wav}: is silent")
    first, last = speech_bounds(wav, options.fs) if options.trim_silence else (0, len(wav))
    wav = wav[first:last]
    if options.level is not None:
        wav = level_speech(wav, options.fs, options.level)
    return Recording(wav, rate, peak, clipping(recorded))


def clipping(wav: np.ndarray) -> float:
    """Measure how much of a sound was cut off at full scale.

    One sample alone at full scale is the peak of a sound that somebody made as loud as possible; two or more in a row
    are cut off.

    Args:
        wav: (T,) in [-1, 1], at the rate at which it was recorded.

    Returns:
        Share of the samples, 0..1.
    """
    full = np.abs(wav) >= FULL_SCALE
    in_a_row = full[1:] & full[:-1]
    cut = np.zeros(len(wav), bool)
    cut[1:] |= in_a_row
    cut[:-1] |= in_a_row
    return float(cut.mean()) if len(wav) else 0.0
