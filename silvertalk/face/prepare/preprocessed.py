"""The layout in which Wav2Lip's training data is published, into a face dump and back.

``<root>/<dir>/<clip>/{0.jpg, 1.jpg, ..., audio.wav}``, and lists ``{train,val,test}.txt``, a ``<dir>/<clip>`` a line
(github.com/Rudrabha/Wav2Lip, preprocess.py): N.jpg is the face of frame N at 25 fps as large as it was found, so the
pictures of a clip differ in size; a frame without a face has no picture; the sound is the source's. Nothing says
where the faces were, so such a dump has no boxes and landmarks: it trains the lip-sync networks and no more.
"""

import itertools
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from silvertalk.data import PartWriter, combine_parts, read_scp
from silvertalk.data.face_clips import FaceClip, load_face_clips
from silvertalk.face.prepare.dump import JPEG_QSCALE, fit_length, voiced_frames
from silvertalk.media import VideoWriter, read_audio, read_jpegs, wav2lip_mel, write_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.picture import resize
from silvertalk.media.timing import FPS, SAMPLES_PER_FRAME
from silvertalk.utils import atomic_folder, progress, remove_leftovers, write_text

# Names of the published lists and of our sets; other lists keep their names.
SETS = {"train": "tr_no_dev", "val": "dev", "test": "eval1"}
LISTS = {ours: published for published, ours in SETS.items()}
AUDIO = "audio.wav"
JPEG_END = b"\xff\xd9"
TRAILER = 1024  # bytes; some programs write notes behind the end of a picture
MIN_RUN = 10  # frames: two windows of five, less trains nothing
NAMED = 10  # clips that an error names
AT_ONCE = 1000  # items that wait for a process


@dataclass(slots=True)
class Run:
    """Successive pictures of a clip: an utterance of the dump."""

    utt_id: str
    spk: str  # the clip's <dir>
    folder: Path
    first: int  # number of the first frame
    count: int


def import_preprocessed(
    root: str | os.PathLike,
    filelists: str | os.PathLike,
    out_dir: str | os.PathLike,
    face_size: int,
    num_jobs: int = 1,
    skip_missing: bool = False,
    max_skipped: float = 0.5,
) -> dict[str, tuple[int, dict[str, str]]]:
    """Make face dumps of the published layout, one for each list; what an earlier call finished is kept.

    A clip becomes an utterance ``<dir>-<clip>``. Where frames lack a picture
    it is cut: its runs of pictures become ``<dir>-<clip>-<first frame>``, each
    with the sound of its own time, and those below ``MIN_RUN`` frames are left out.

    Args:
        root: ``preprocessed_root`` of the original.
        filelists: Folder of the lists.
        out_dir: Folder of the dumps, e.g. dump/face; ``train`` becomes
            ``out_dir/tr_no_dev``, ``val`` ``dev``, ``test`` ``eval1``.
        face_size: Side of the stored face pictures (pixels).
        num_jobs: Processes.
        skip_missing: Leave out clips that are listed and not there; else they
            are an error, before anything is written.
        max_skipped: Largest share of utterances that cannot be used and is not an error.

    Returns:
        For each set the number of utterances, and the skipped ones with their reasons.

    Raises:
        FileNotFoundError: The folders, or listed clips, are not there.
        ValueError: A list cannot be read, or the dump was begun with other pictures.
        RuntimeError: Too much cannot be used.
    """
    root, out_dir = Path(root).absolute(), Path(out_dir)
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}; name what the original's preprocess.py wrote")
    lists = sorted(Path(filelists).glob("*.txt"))
    if not lists:
        raise FileNotFoundError(f"no {filelists}/*.txt; write train.txt and val.txt there, '<dir>/<clip>' a line")
    plans = {SETS.get(path.stem, path.stem): _plan(root, path, skip_missing) for path in lists}
    return {
        name: _import_set(root, plan, out_dir / name, face_size, num_jobs, max_skipped) for name, plan in plans.items()
    }


def read_filelist(path: str | os.PathLike) -> dict[str, int]:
    """Read a list of clips.

    Returns:
        ``<dir>/<clip>`` -> line number, from 1; a clip that is listed again counts once.

    Raises:
        ValueError: The file lists nothing, or something outside the root.
    """
    lines: dict[str, int] = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if words := line.split():  # LRS2's own lists have a second column
            name = PurePosixPath(words[0])
            if name.is_absolute() or ".." in name.parts or len(name.parts) < 2:
                raise ValueError(f"{path}:{number}: '{words[0]}' is not of the form '<dir>/<clip>'; correct the line")
            lines.setdefault(str(name), number)
    if not lines:
        raise ValueError(f"{path}: lists no clip; write '<dir>/<clip>' a line, or remove the file")
    return lines


def _plan(root: Path, filelist: Path, skip_missing: bool) -> tuple[list[Run], dict[str, str]]:
    """Find the runs of the listed clips, and the clips that cannot be used, with reasons."""
    lines = read_filelist(filelist)
    missing = [name for name in lines if not (root / name).is_dir()]
    if missing and not skip_missing:
        named = [f"line {lines[name]}: {name}" for name in missing[:NAMED]] + ["..."] * (len(missing) > NAMED)
        raise FileNotFoundError(
            f"{filelist}: {len(missing)} of {len(lines)} clips are not in {root} ({', '.join(named)}); "
            "preprocess them, remove the lines, or give --skip_missing"
        )
    unusable, runs, lost = {_utt_id(name): f"no folder {root / name}" for name in missing}, [], 0
    for name in progress(sorted(lines.keys() - set(missing)), desc=filelist.name):
        found = find_runs(root / name)
        runs += [run for run in _utterances(root, name, found) if run.count >= MIN_RUN]
        lost += sum(count for _, count in found if count < MIN_RUN)
        most = max((count for _, count in found), default=0)
        if most < MIN_RUN:
            unusable[_utt_id(name)] = f"{root / name}: has {most} pictures in a row, fewer than {MIN_RUN}"
    if lost:
        logging.warning("%s: %d pictures stand in runs of fewer than %d, and are left out", filelist, lost, MIN_RUN)
    _check_ids(filelist, lines, runs)
    return runs, unusable


def _utterances(root: Path, name: str, found: list[tuple[int, int]]) -> Iterator[Run]:
    """Name the runs of a clip."""
    spk = PurePosixPath(name).parts[0]
    for first, count in found:
        yield Run(_utt_id(name) + (f"-{first:06d}" if len(found) > 1 else ""), spk, root / name, first, count)


def _check_ids(filelist: Path, lines: dict[str, int], runs: list[Run]) -> None:
    """See that every clip has an id of its own, and that those of one speaker stand together."""
    owners: dict[str, str] = {}
    for name in lines:
        if owners.setdefault(_utt_id(name), name) != name:
            raise ValueError(
                f"{filelist}: {owners[_utt_id(name)]} and {name} would both be {_utt_id(name)}; rename one"
            )
    in_order = sorted(runs, key=lambda run: run.utt_id.encode())
    seen = set()
    for spk, _ in itertools.groupby(in_order, key=lambda run: run.spk):
        if spk in seen:
            raise ValueError(f"{filelist}: clips of {spk} and of '{spk}-...' would be mixed; rename one of the folders")
        seen.add(spk)


def _utt_id(name: str) -> str:
    return "-".join(PurePosixPath(name).parts)


def find_runs(clip: Path) -> list[tuple[int, int]]:
    """Find the runs of pictures without a gap in a clip's folder: number of the first, and how many."""
    numbers = sorted(int(path.stem) for path in clip.glob("*.jpg") if path.stem.isdecimal())
    runs = []
    # Within a run, numbers and places rise together.
    for _, run in itertools.groupby(enumerate(numbers), key=lambda entry: entry[1] - entry[0]):
        members = [number for _, number in run]
        runs.append((members[0], len(members)))
    return runs


def _import_set(root, plan, out_dir: Path, face_size: int, num_jobs: int, max_skipped: float):
    """Write one dump."""
    runs, unusable = plan
    _check_same_settings(out_dir / "parts" / "imported.txt", f"{root}, {face_size} pixels")
    with PartWriter(out_dir, job=1) as out:
        for utt_id, reason in unusable.items():
            if utt_id not in out.done:
                out.skip(utt_id, reason)
        todo = [run for run in runs if run.utt_id not in out.done]
        convert = partial(_import_run, out_dir=out_dir.absolute(), face_size=face_size)
        results = _each(convert, todo, num_jobs)
        for run, matrices, values, reason in progress(results, f"import {out_dir.name}", len(todo)):
            if reason:
                logging.warning("skipped %s: %s", run.utt_id, reason)
                out.skip(run.utt_id, reason)
            else:
                out.add(run.utt_id, matrices, values)
    return combine_parts(out_dir, [run.utt_id for run in runs] + list(unusable), max_skipped)


def _check_same_settings(path: Path, settings: str) -> None:
    """See that finished work was made from the same."""
    if path.is_file() and path.read_text(encoding="utf-8") != settings:
        raise ValueError(
            f"{path.parents[1]} was begun from {path.read_text(encoding='utf-8')}, not {settings}; "
            "remove that folder or name another"
        )
    write_text(path, settings)


def _each(function: Callable, items: list, num_jobs: int) -> Iterator:
    """Apply a function to every item, in several processes."""
    if num_jobs < 1:
        raise ValueError(f"{num_jobs} jobs were asked for; give at least 1")
    if num_jobs == 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(num_jobs) as pool:
        for first in range(0, len(items), AT_ONCE):
            yield from pool.map(function, items[first : first + AT_ONCE])


def _import_run(run: Run, out_dir: Path, face_size: int) -> tuple[Run, dict, dict, str | None]:
    """Write pictures and sound of an utterance: what the dump's tables say of it, or why it cannot be used."""
    try:
        return run, *_write_run(run, out_dir, face_size), None
    except (RuntimeError, ValueError, FileNotFoundError) as error:
        return run, {}, {}, str(error)


def _write_run(run: Run, out_dir: Path, face_size: int) -> tuple[dict, dict]:
    """Write pictures and sound of an utterance; return its matrices and values, as stage 3 makes them."""
    sound = run.folder / AUDIO
    if not sound.is_file():
        raise FileNotFoundError(f"no {sound}; extract it from the video")
    wav, _ = read_audio(sound, SAMPLING_RATE)
    sounding = round(len(wav) / SAMPLES_PER_FRAME)
    num_frames = min(run.count, sounding - run.first)  # pictures beyond the sound say nothing
    if num_frames < MIN_RUN:
        raise ValueError(f"{sound}: ends at frame {sounding}, fewer than {MIN_RUN} after frame {run.first}")
    speech = voiced_frames(wav, sounding)[run.first : run.first + num_frames]
    video_path, audio_path = (
        out_dir / kind / run.spk / f"{run.utt_id}{suffix}" for kind, suffix in (("video", ".avi"), ("audio", ".flac"))
    )
    with VideoWriter(video_path, FPS, codec="mjpeg", quality=JPEG_QSCALE) as video:
        for number in range(run.first, run.first + num_frames):
            video.write(resize(_read_face(run.folder / f"{number}.jpg"), face_size, face_size))
    wav = fit_length(wav[run.first * SAMPLES_PER_FRAME :], num_frames * SAMPLES_PER_FRAME)
    write_audio(audio_path, wav, SAMPLING_RATE)
    return {"mel": wav2lip_mel(wav).T, "speech": speech}, {
        "audio.scp": str(audio_path),
        "video.scp": str(video_path),
        "source_video.scp": str(video_path),  # of the source, the face is all that is left
        "source_start": 0.0,
        "utt2num_frames": num_frames,
        "utt2spk": run.spk,
    }


def _read_face(path: Path) -> np.ndarray:
    """Read a picture, whole: uint8 RGB (H, W, 3). (Of half a file, OpenCV makes a picture that ends in grey.)"""
    data = path.read_bytes()
    whole = JPEG_END in data[-TRAILER:]
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if whole else None
    if picture is None:
        raise RuntimeError(f"{path}: is no whole JPEG picture; make it again, or remove it, which leaves a gap")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def export_preprocessed(
    face_dir: str | os.PathLike, root: str | os.PathLike, filelists: str | os.PathLike, num_jobs: int = 1
) -> dict[str, int]:
    """Write face dumps in the published layout, for the original's trainer; clips that are there are kept.

    The pictures are those of the dump, byte for byte; frames which the dump
    marks as unusable get none, as in the original. The sound is 16 kHz.

    Args:
        face_dir: Folder of the dumps, e.g. dump/face, or one dump.
        root: ``preprocessed_root``, to be written.
        filelists: Folder of the lists, to be written: ``tr_no_dev`` becomes
            ``train.txt``, ``dev`` ``val.txt``, ``eval1`` ``test.txt``.
        num_jobs: Processes.

    Returns:
        Number of clips in each list.

    Raises:
        FileNotFoundError: There is no dump.
    """
    face_dir, root = Path(face_dir).absolute(), Path(root)
    dumps = [face_dir] if (face_dir / "video.scp").is_file() else sorted(p.parent for p in face_dir.glob("*/video.scp"))
    if not dumps:
        raise FileNotFoundError(f"no {face_dir}/*/video.scp; name the folder that stages 3 and 4 wrote")
    counts = {}
    for dump in dumps:
        clips, audio = load_face_clips(dump, 1), read_scp(dump / "audio.scp")
        remove_leftovers(root)
        export = partial(_export_clip, root=root)
        pairs = [(clip, audio[clip.utt_id]) for clip in clips]
        lines = list(progress(_each(export, pairs, num_jobs), f"export {dump.name}", len(pairs)))
        name = LISTS.get(dump.name, dump.name)
        write_text(Path(filelists) / f"{name}.txt", "".join(f"{line}\n" for line in lines))
        counts[name] = len(lines)
    return counts


def _export_clip(pair: tuple[FaceClip, str], root: Path) -> str:
    """Write one clip, and return its name."""
    clip, sound = pair
    name = f"{clip.spk}/{clip.utt_id.removeprefix(f'{clip.spk}-')}"
    if not (root / name).is_dir():
        jpegs = read_jpegs(clip.video, 0, clip.num_frames)
        with atomic_folder(root / name) as folder:
            for number in clip.window_starts(1, voiced=False):
                (folder / f"{number}.jpg").write_bytes(jpegs[number])
            write_audio(folder / AUDIO, read_audio(sound, SAMPLING_RATE)[0], SAMPLING_RATE)
    return name
