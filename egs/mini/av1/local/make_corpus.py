#!/usr/bin/env python3
"""Make the mini corpus: a talking photograph, from text alone.

eSpeak NG speaks the sentences and tells when each phoneme begins; those times
move the mouth of a photograph. So the true offset between sound and picture
is known (0), and nothing is downloaded.
"""

import functools
import json
import logging
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from espeak_voice import Phoneme, speak
from movements import poses
from talking_photo import render

from silvertalk.data import Utterance, validate_data_dir, write_data_dir
from silvertalk.media import VideoWriter, write_audio
from silvertalk.utils import progress, remove_leftovers, write_text
from silvertalk.utils.cli import make_parser, run

VERSION = 2  # raise it when the pictures or sounds change: what is cached is then made anew
FPS = 25
SILENCE = 0.2  # seconds before and after the sentence
CRF = 15  # visually lossless
SPEAKER = "astro"
SENTENCES = Path(__file__).with_name("sentences.txt")


def read_sentences(path: str | os.PathLike) -> list[tuple[str, str, str]]:
    """Read lines ``<set> <utt_id> <text>``: a list of (set, utt_id, text)."""
    sentences = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split(maxsplit=2)
        if len(fields) == 3 and fields[1].startswith(f"{SPEAKER}-"):
            sentences.append(tuple(fields))
        elif fields:
            raise ValueError(f"{path}:{number}: '{line}' is not '<set> {SPEAKER}-<number> <text>'")
    return sentences


def voice(text: str) -> tuple[np.ndarray, int, list[Phoneme]]:
    """Speak a sentence between two silences, whole video frames long.

    Returns:
        float32 (T,), its rate (Hz), and the phonemes (seconds).
    """
    wav, rate, phonemes = speak(text)
    before = round(SILENCE * rate)
    num_frames = -(-(len(wav) + 2 * before) * FPS // rate)
    padded = np.zeros(num_frames * rate // FPS, np.float32)
    padded[before : before + len(wav)] = wav
    shifted = [Phoneme(p.symbol, p.start + before / rate, p.end + before / rate) for p in phonemes]
    return padded, rate, [Phoneme("", 0.0, shifted[0].start), *shifted, Phoneme("", shifted[-1].end, num_frames / FPS)]


def make_clip(db_root: Path, av_offset_frames: int, utt_id: str, text: str) -> None:
    """Write ``<utt_id>.mp4``, ``.wav``, ``.txt`` and, last, ``.json`` with what is true about them."""
    wav, rate, phonemes = voice(text)
    # A frame stands for the time it is shown: the mouth is that of its middle.
    times = (np.arange(round(len(wav) * FPS / rate)) + 0.5 - av_offset_frames) / FPS
    movement = poses(utt_id, phonemes, times)
    write_audio(db_root / f"{utt_id}.wav", wav, rate)
    with VideoWriter(db_root / f"{utt_id}.mp4", FPS, wav, rate, quality=CRF) as video:
        for pose in movement:
            video.write(render(pose))
    write_text(db_root / f"{utt_id}.txt", text + "\n")
    truth = {
        **_identity(text, av_offset_frames),
        "phonemes": [[p.symbol, round(p.start, 3), round(p.end, 3)] for p in phonemes],
        "opening": [round(pose.opening, 4) for pose in movement],
    }
    write_text(db_root / f"{utt_id}.json", json.dumps(truth) + "\n")


def _identity(text: str, av_offset_frames: int) -> dict:
    """What decides how a clip looks and sounds."""
    return {"version": VERSION, "text": text, "av_offset_frames": av_offset_frames}


def is_made(db_root: Path, av_offset_frames: int, utt_id: str, text: str) -> bool:
    """Whether a clip is there and was made with these settings."""
    truth = db_root / f"{utt_id}.json"
    if not truth.is_file() or not all((db_root / f"{utt_id}{s}").is_file() for s in (".mp4", ".wav", ".txt")):
        return False
    return json.loads(truth.read_text()).items() >= _identity(text, av_offset_frames).items()


def make_clips(db_root: Path, wanted: list[tuple[str, str]], av_offset_frames: int, nj: int) -> None:
    """Make clips, given as (utt_id, text), in ``nj`` processes."""
    job = functools.partial(_make_one, db_root, av_offset_frames)
    with ProcessPoolExecutor(nj, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for _ in progress(pool.map(job, wanted), desc="mini corpus", total=len(wanted)):
            pass


def _make_one(db_root: Path, av_offset_frames: int, item: tuple[str, str]) -> None:
    make_clip(db_root, av_offset_frames, *item)


def make_corpus(
    db_root: str = "downloads/mini",
    data_dir: str = "data",
    nj: int = 1,
    sentences: str = str(SENTENCES),
    max_utterances: int = 0,
    av_offset_frames: int = 0,
) -> None:
    """Make the mini corpus and its data directories.

    Args:
        db_root: Folder for the clips; those already there are kept.
        data_dir: Folder in which tr_no_dev, dev and eval1 are written.
        nj: Processes.
        sentences: Text file with lines ``<set> <utt_id> <text>``.
        max_utterances: Make only the first ones of the list, 0 for all.
        av_offset_frames: Make the picture this many frames (1/25 s) late
            against the sound, to test that it is found; 0 is right.
    """
    root = Path(db_root).absolute()
    entries = read_sentences(sentences)[: max_utterances or None]
    if not entries:
        raise ValueError(f"{sentences} holds no sentence; write lines '<set> <utt_id> <text>'")
    missing = [(utt_id, text) for _, utt_id, text in entries if not is_made(root, av_offset_frames, utt_id, text)]
    if missing:
        remove_leftovers(root)
        make_clips(root, missing, av_offset_frames, nj)
    for name in dict.fromkeys(name for name, _, _ in entries):
        clips = [(utt_id, text) for other, utt_id, text in entries if other == name]
        write_data_dir(
            Path(data_dir) / name,
            [Utterance(u, SPEAKER, text, str(root / f"{u}.wav"), str(root / f"{u}.mp4")) for u, text in clips],
        )
        validate_data_dir(Path(data_dir) / name)
    logging.info("mini corpus in %s: %d clips made, %d were there", root, len(missing), len(entries) - len(missing))


def get_parser():
    """Make the command line."""
    return make_parser(make_corpus)


def main(cmd: list[str] | None = None) -> None:
    """Run from the command line."""
    run(get_parser(), make_corpus, cmd)


if __name__ == "__main__":
    main()
