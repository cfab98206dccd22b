"""LRS3-TED: sentences of TED and TEDx talks.

Clips of one speaking face at 25 fps with sound, cut from talks on YouTube, and
what is said in capital letters: 30 hours of sentences for training, 1 hour for
testing and, apart from them, 407 hours of longer "pretrain" clips with word
times. A folder is a talk and bears its YouTube id; it stands for a speaker.

Source: the University of Oxford's Visual Geometry Group, who have withdrawn
it: only those who have a copy can use it. Licence: that of the copy, made from
TED's talks. Citation: T. Afouras, J. S. Chung, A. Zisserman, "LRS3-TED: a
large-scale dataset for visual speech recognition", arXiv:1809.00496, 2018.

Layout that is read; ``lrs3`` may be left out, and the text files may lie in a
folder of their own, as those of version 0.4 do:

    lrs3/pretrain/00j9bKdiOjk/00001.mp4     lrs3_v0.4/pretrain/00j9bKdiOjk/00001.txt
    lrs3/trainval/00j9bKdiOjk/50001.mp4     lrs3_v0.4/trainval/00j9bKdiOjk/50001.txt
    lrs3/test/0Fi83BHQsMA/00002.mp4         lrs3_v0.4/test/0Fi83BHQsMA/00002.txt
"""

import re
from pathlib import Path

from silvertalk.data.corpus import Corpus, hold_out_speakers, make_utt_id, require
from silvertalk.data.kaldi import Utterance
from silvertalk.data.lrs_text import Clip, Cutting, keep_apart, read_sets

HINT = "egs/lrs3/av1/README.md says what is read"
FOLDERS = ("", "lrs3", "lrs3_v0.4")
YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")


def read(
    db_root: str,
    nj: int = 1,
    text_root: str = "",
    pretrain: bool = False,
    max_seconds: float = 15.0,
    min_gap: float = 0.4,
    dev_share: float = 0.04,
    lower: bool = False,
) -> Corpus:
    """Read the corpus: eval1 is test, dev and tr_no_dev are made of trainval.

    Args:
        db_root: Folder that holds trainval and test, or lrs3 with them in it.
        nj: Clips opened at a time.
        text_root: Folder of the text files, where they lie neither beside the videos nor in db_root/lrs3_v0.4.
        pretrain: Train on the pretrain clips, too, but for those of talks in dev or eval1.
        max_seconds: Pretrain clips as long as this are cut.
        min_gap: Pauses longer than this (seconds) are where they are cut.
        dev_share: Part of trainval that is dev, whole talks.
        lower: Write the sentences in small letters.
    """
    parts = ("trainval", "test", "pretrain") if pretrain else ("trainval", "test")
    videos, texts = find_corpus(db_root, text_root, parts)
    skipped: dict[str, str] = {}
    sets = split_trainval(find_clips(videos, texts, "trainval", skipped), dev_share)
    sets["eval1"] = find_clips(videos, texts, "test", skipped)
    if pretrain:
        sets["tr_no_dev"] += find_clips(videos, texts, "pretrain", skipped)
    tables = {"left_out.tsv": keep_apart(sets)}
    trainval, test = str(videos / "trainval"), str(videos / "test")
    sources = {"tr_no_dev": trainval, "dev": trainval, "eval1": test}
    utterances = read_sets(sets, sources, nj, skipped, Cutting(max_seconds, min_gap) if pretrain else None, lower)
    return Corpus(utterances, skipped, tables=tables)


def find_corpus(db_root: str, text_root: str, parts: tuple[str, ...]) -> tuple[Path, Path]:
    """Find the folders of the videos and of the text files, which may be one.

    Raises:
        ValueError: No folder was named.
        FileNotFoundError: The first thing that is missing.
    """
    root = require(db_root, {}, HINT)
    found = []
    for folder, suffix in ((root, "mp4"), (Path(text_root or root), "txt")):
        inside = next((name for name in FOLDERS if any((folder / name).glob(f"{parts[0]}/*/*.{suffix}"))), "")
        kind = {"mp4": "the videos", "txt": "the text files (--text_root names another folder)"}[suffix]
        wanted = {f"{part}/*/*.{suffix}": f"{kind}, as {part}/00j9bKdiOjk/00001.{suffix}" for part in parts}
        found.append(require(folder / inside, wanted, HINT))
    return found[0], found[1]


def find_clips(videos: Path, texts: Path, part: str, skipped: dict[str, str]) -> list[Clip]:
    """List the clips of one part that have a video or a text file.

    Args:
        videos: Folder of the parts' videos.
        texts: Folder of the parts' text files.
        part: pretrain, trainval or test.
        skipped: Gets folders that are no talks.

    Returns:
        Clips sorted by talk and name.
    """
    names = {
        (path.parent.name, path.stem)
        for root, suffix in ((videos, "mp4"), (texts, "txt"))
        for path in (root / part).glob(f"*/[!.]*.{suffix}")
    }
    clips, is_talk = [], part == "pretrain"
    for spk, stem in sorted(names):
        # Ids sort by speaker only because all speakers' are of one length: they may hold the "-" that follows them.
        if not YOUTUBE_ID.fullmatch(spk):
            skipped[f"{part}/{spk}"] = f"{videos / part / spk}: is not named by a YouTube id of 11 characters"
            continue
        name = make_utt_id(part, stem) if is_talk else stem
        clips.append(Clip(spk, name, videos / part / spk / f"{stem}.mp4", texts / part / spk / f"{stem}.txt", is_talk))
    return clips


def split_trainval(clips: list[Clip], dev_share: float) -> dict[str, list[Clip]]:
    """Hold out talks for dev. What cannot be used is found later, so damage moves no talk to another set."""
    by_id = {clip.utt_id: clip for clip in clips}
    sets = hold_out_speakers([Utterance(clip.utt_id, clip.spk) for clip in clips], {"dev": dev_share})
    return {name: [by_id[u.utt_id] for u in own] for name, own in sets.items()}
