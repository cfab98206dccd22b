"""MEAD: actors who speak with eight emotions at three levels, filmed from seven sides.

Some 48 actors are public, each with about 30 sentences per emotion and level
(40 for neutral, which has one level only). Picture and sound are separate
files; there are no transcripts.

Source: https://wywu.github.io/projects/MEAD/MEAD.html (drive links). Licence:
none is stated; for research. Citation: K. Wang, Q. Wu, L. Song, Z. Yang,
W. Wu, C. Qian, R. He, Y. Qiao, C. C. Loy, "MEAD: A Large-scale Audio-visual
Dataset for Emotional Talking-face Generation", ECCV 2020.

Layouts that are read (the second is a mirror's), in the folder that is named or
in one below it; a clip without m4a uses the sound of its mp4, if it has one:

    M003/video/front/angry/level_1/001.mp4    M003/audio/angry/level_1/001.m4a
    M003/front/angry/level_1/001.mp4          M003/audio/angry/level_1/001.m4a
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from silvertalk.data.corpus import Corpus, hold_out_speakers, look_at_all, make_utt_id, require
from silvertalk.data.kaldi import Utterance
from silvertalk.media import MediaInfo

HINT = "egs/mead/av1/README.md says how to get and unpack it"
ACTOR = re.compile(r"[MW]\d{3}")
LEVEL = re.compile(r"level_(\d+)")
NO_LEVELS = "neutral"  # its only level says nothing
ARCHIVES = {"audio": "audio.tar", "video": "video.tar"}


def read(
    db_root: str,
    nj: int = 1,
    views: str = "front",
    emotions: str = "",
    levels: str = "",
    dev_share: float = 0.05,
    eval_share: float = 0.1,
    max_difference: float = 1.0,
) -> Corpus:
    """Read the corpus; dev and eval1 get actors of their own.

    Args:
        db_root: The folder that holds M003 and so on, or the folder above it.
        nj: Files opened at a time.
        views: Sides to take, as "front" or "front,down"; "all" takes every one.
        emotions: Emotions to take, as "happy,sad"; empty takes all.
        levels: Levels to take, as "3" or "1,2"; empty takes all. Neutral has one only and is always taken.
        dev_share: Part of the utterances for dev, whole actors.
        eval_share: Part of the utterances for eval1, whole actors.
        max_difference: Seconds by which the sound of a clip may be longer or shorter than its picture.
    """
    clips, skipped = find_clips(db_root, _words(views), _words(emotions), _words(levels))
    utterances = [to_utterance(clip) for clip in drop_unusable(clips, max_difference, nj, skipped)]
    return Corpus(hold_out_speakers(utterances, {"dev": dev_share, "eval1": eval_share}), skipped)


def _words(text: str) -> list[str]:
    return str(text).replace(",", " ").split()


@dataclass(slots=True)
class MeadClip:
    """One sentence from one side."""

    spk: str  # M003
    view: str  # front
    emotion: str  # angry
    level: str  # 1
    number: str  # 001; which sentence that is differs from actor to actor
    video: str | None  # None: there is no mp4
    audio: str | None  # None: there is no m4a

    @property
    def utt_id(self) -> str:
        """Id in data directories; all actors' ids have one length."""
        return make_utt_id(self.spk, self.view, self.emotion, self.level, self.number)


def to_utterance(clip: MeadClip) -> Utterance:
    """Make the entry of a data directory; without an m4a the video's own sound is its sound."""
    return Utterance(clip.utt_id, clip.spk, wav=clip.audio or clip.video, video=clip.video)


def find_clips(
    db_root: str | os.PathLike, views: list[str], emotions: list[str], levels: list[str]
) -> tuple[list[MeadClip], dict[str, str]]:
    """List the clips, and what lacks picture or sound.

    Args:
        db_root: The folder that holds the actors, or the one above it.
        views: Names of those wanted; "all" among them takes every one.
        emotions: Names of those wanted; none takes all.
        levels: Numbers of those wanted; none takes all.

    Returns:
        The clips, sorted, and what is left out (utterance id, or actor and view) with the reason.

    Raises:
        FileNotFoundError: No actor is there, or one whose archives are not unpacked.
        ValueError: No clip has the wanted view, emotion or level.
    """
    clips, skipped = [], {}
    present: dict[str, set[str]] = {"views": set(), "emotions": set(), "levels": set()}
    for actor in find_actors(db_root):
        folders = _view_folders(actor)
        present["views"] |= folders.keys()
        for view in sorted(folders) if "all" in views else views:
            if view not in folders:
                skipped[f"{actor.name}-{view}"] = f"no such view; it has {' '.join(sorted(folders)) or 'none'}"
                continue
            found = _clips_of(actor, view, folders[view])
            present["emotions"] |= {clip.emotion for clip in found}
            present["levels"] |= {clip.level for clip in found}
            for clip in found:
                if not _is_wanted(clip, emotions, levels):
                    continue
                if clip.video:
                    clips.append(clip)
                else:
                    skipped[clip.utt_id] = f"{clip.audio}: has no mp4 of that number"
    for option, wanted in (("views", views), ("emotions", emotions), ("levels", levels)):
        if missing := [name for name in wanted if name != "all" and name not in present[option]]:
            there = " ".join(sorted(present[option])) or "none"
            raise ValueError(f"--{option} {','.join(wanted)}: there is no {missing[0]}; there are: {there}")
    return clips, skipped


def _is_wanted(clip: MeadClip, emotions: list[str], levels: list[str]) -> bool:
    level = not levels or clip.emotion == NO_LEVELS or clip.level in levels
    return level and (not emotions or clip.emotion in emotions)


def find_actors(db_root: str | os.PathLike) -> list[Path]:
    """List the actors' folders, and see that their archives are unpacked.

    Raises:
        FileNotFoundError: There is none, or an archive lies there packed.
    """
    root = require(db_root, {}, HINT)
    for pattern in ("*", "*/*"):
        actors = sorted(path for path in root.glob(pattern) if ACTOR.fullmatch(path.name) and path.is_dir())
        if actors:
            break
    else:
        example = "M003/video/front/angry/level_1/001.mp4"
        raise FileNotFoundError(f"no {root}/M003: there should be a folder for each actor, as {example}; {HINT}")
    for actor in actors:
        for kind, archive in ARCHIVES.items():
            if (actor / archive).is_file() and not (actor / kind).is_dir():
                raise FileNotFoundError(f"no {actor / kind}: it lies packed in {archive}; unpack it there; {HINT}")
    return actors


def _view_folders(actor: Path) -> dict[str, Path]:
    """Views of an actor -> their folders; some mirrors have no folder ``video``."""
    top = actor / "video" if (actor / "video").is_dir() else actor
    return {name: top / name for name in _folders(top) if name != "audio"}


def _clips_of(actor: Path, view: str, folder: Path) -> list[MeadClip]:
    """Clips of an actor from one side, also those with only picture or only sound."""
    clips = []
    for emotion in sorted(_folders(folder)):
        for level_folder in sorted(_folders(folder / emotion)):
            if not (match := LEVEL.fullmatch(level_folder)):
                continue
            videos = _files(folder / emotion / level_folder, ".mp4")
            sounds = _files(actor / "audio" / emotion / level_folder, ".m4a")
            clips += [
                MeadClip(actor.name, view, emotion, match[1], number, videos.get(number), sounds.get(number))
                for number in sorted(videos.keys() | sounds.keys())
            ]
    return clips


def _folders(path: Path) -> Iterator[str]:
    """Names of the folders in a folder."""
    with os.scandir(path) as entries:
        yield from [entry.name for entry in entries if entry.name[0] != "." and entry.is_dir()]


def _files(folder: Path, suffix: str) -> dict[str, str]:
    """Name without the suffix -> path of the files in a folder; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            files = [entry.path for entry in entries if entry.name.endswith(suffix) and entry.name[0] != "."]
    except FileNotFoundError:
        return {}
    return {Path(path).stem: path for path in files}


def drop_unusable(clips: list[MeadClip], max_difference: float, nj: int, skipped: dict[str, str]) -> Iterator[MeadClip]:
    """Open every file once, and pass on the clips that have picture and sound of about one length.

    Args:
        clips: To be checked.
        max_difference: Seconds by which the two may differ; more means that a number stands for different sentences.
        nj: Files opened at a time.
        skipped: Gets the others, with reasons.

    Yields:
        Clips in their order.
    """
    media = look_at_all((path for clip in clips for path in (clip.video, clip.audio) if path), nj)
    for clip in clips:
        fault = _fault(clip, media, max_difference)
        if fault is None:
            yield clip
        else:
            skipped[clip.utt_id] = fault


def _fault(clip: MeadClip, media: dict[str, MediaInfo | str], max_difference: float) -> str | None:
    """Why a clip cannot be used."""
    picture = media[clip.video]
    sound = media[clip.audio] if clip.audio else picture
    for info in (picture, sound):
        if isinstance(info, str):
            return info
    if picture.width == 0:
        return f"{clip.video}: has no picture"
    if not sound.has_audio:
        return f"{clip.audio}: has no sound" if clip.audio else f"{clip.video}: has no sound, and there is no m4a of it"
    difference = sound.duration - picture.duration
    if clip.audio and picture.duration and sound.duration and abs(difference) > max_difference:
        return (
            f"{clip.audio}: lasts {sound.duration:.2f} s, its picture {picture.duration:.2f} s; "
            "the numbers seem to stand for different sentences; --max_difference says how far they may be apart"
        )
    return None
