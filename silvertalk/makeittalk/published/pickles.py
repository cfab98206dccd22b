"""MakeItTalk's pickles of training data, into stage 11's dump and back.

``<name>_<status>_au.pickle`` is a list of ``(content (T, 80), (index, file name, embedding (256,)))``, not normalised;
``_fl.pickle`` one of ``(landmarks (T, 204), info)`` in the same order, with the head's motion; ``_gaze.pickle`` a
dictionary of lists: ``rot_trans`` (T, 3, 4), ``rot_quat`` (T, 4) and ``anchor_t_shape`` (T, 68, 3), the faces with the
head held still; ``emb.pickle`` a dictionary of embeddings. ``status`` is train, val or test.

Clips are read and written one by one: these lists are of gigabytes. Of a dump made from them the content branch and
the speaker-aware branch can be trained; the pickles hold no pictures.
"""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from silvertalk.data import PartWriter, combine_parts, iter_scp, read_rows, read_scp
from silvertalk.makeittalk.geometry import ANCHORS, head_pose, rigid_registration
from silvertalk.makeittalk.published.safe_pickle import read_list, read_pickle
from silvertalk.makeittalk.statistics import NAME, SHAPES, Statistics
from silvertalk.utils import atomic_path, progress

SETS = {"train": "tr_no_dev", "val": "dev", "test": "eval1"}
STATUSES = {ours: published for published, ours in SETS.items()}
EMBEDDINGS = "emb.pickle"
MOST_APART = 25  # frames by which a clip's sound and landmarks may differ in length; both are cut to the shorter
# What the published code's Python 3.6 reads, and a protocol without a memo that later parts would have to know.
PROTOCOL = 3


def import_pickles(
    pickle_dir: str | os.PathLike,
    name: str,
    out_dir: str | os.PathLike,
    statistics: str | os.PathLike,
    max_skipped: float = 0.5,
) -> dict[str, tuple[int, dict[str, str]]]:
    """Make stage 11's dumps of the published pickles; a run that was stopped goes on.

    Poses are measured on the landmarks, as those of ``_gaze.pickle`` were; that file is not needed.

    Args:
        pickle_dir: Their folder.
        name: What their names begin with.
        out_dir: Folder of the dumps; train becomes ``out_dir/tr_no_dev``, val ``dev``, test ``eval1``.
        statistics: Statistics they were made with, see ``Statistics.load``; kept in ``out_dir``.
        max_skipped: Largest share of clips that cannot be used and is not an error.

    Returns:
        For each set the number of utterances, and the skipped ones with their reasons.

    Raises:
        FileNotFoundError: There is none.
        ValueError: A file is damaged, or holds something else.
    """
    pickle_dir, out_dir = Path(pickle_dir), Path(out_dir)
    sets = {ours: pickle_dir / f"{name}_{status}" for status, ours in SETS.items()}
    sets = {ours: stem for ours, stem in sets.items() if Path(f"{stem}_au.pickle").is_file()}
    if not sets:
        raise FileNotFoundError(
            f"no {pickle_dir}/{name}_train_au.pickle; give its folder and what its name begins with"
        )
    shared = Statistics.load(statistics)
    speakers = sorted(read_embeddings(pickle_dir / EMBEDDINGS), key=len, reverse=True)
    result = {}
    for ours, stem in sets.items():
        expected = []
        with PartWriter(out_dir / ours, 1) as out:
            for utt_id, spk, content, landmarks, embedding in _clips(stem, name, speakers):
                expected.append(utt_id)
                if utt_id not in out.done:
                    _add(out, utt_id, spk, content, landmarks, embedding, shared)
        result[ours] = combine_parts(out_dir / ours, expected, max_skipped)
    shared.save(out_dir / NAME)
    return result


def read_embeddings(path: Path) -> dict[str, np.ndarray]:
    """Read emb.pickle; without one nothing is known of speakers."""
    if not path.is_file():
        return {}
    content = read_pickle(path)
    if not isinstance(content, dict) or not all(getattr(value, "shape", 0) == (256,) for value in content.values()):
        raise ValueError(f"{path}: is no dictionary of embeddings (256,); name another file")
    return {str(key): np.asarray(value, np.float32) for key, value in content.items()}


def _clips(stem: Path, name: str, speakers: list[str]) -> Iterator[tuple]:
    """Read the lists of sound and landmarks side by side: utterance, speaker, content, landmarks, embedding."""
    paths = [Path(f"{stem}_{kind}.pickle") for kind in ("au", "fl")]
    pairs = itertools.zip_longest(*(_matrices(path, width) for path, width in zip(paths, (80, 204), strict=True)))
    for index, (sound, face) in enumerate(progress(pairs, desc=stem.name)):
        if sound is None or face is None:
            raise ValueError(f"{paths[0]} and {paths[1]} have unequally many clips; make them anew")
        file_name, embedding = _info(sound[1], paths[0], index)
        spk = next((key for key in speakers if file_name.startswith(key)), name)
        utt_id = f"{spk}-{index:06d}-{Path(file_name).stem}"
        yield "".join("_" if c.isspace() else c for c in utt_id), spk, sound[0], face[0], embedding


def _matrices(path: Path, width: int) -> Iterator[tuple[np.ndarray, object]]:
    """Read a list of ``(matrix (T, width), info)``."""
    for index, (matrix, info) in enumerate(read_list(path)):
        if getattr(matrix, "ndim", 0) != 2 or matrix.shape[1] != width or matrix.dtype.kind != "f":
            found = getattr(matrix, "shape", type(matrix).__name__)
            raise ValueError(f"{path}: clip {index} is {found}, not a float matrix (T, {width}); name another file")
        yield matrix, info


def _info(info, path: Path, index: int) -> tuple[str, np.ndarray]:
    """File name and embedding of a clip."""
    known = isinstance(info, tuple) and len(info) > 2 and isinstance(info[1], str)
    if not known or getattr(info[2], "shape", 0) != SHAPES["target_embedding"]:
        raise ValueError(f"{path}: clip {index} does not say (index, file name, embedding (256,)); name another file")
    return info[1], np.asarray(info[2], np.float32)


def _add(out: PartWriter, utt_id: str, spk: str, content, landmarks, embedding, shared: Statistics) -> None:
    """Write a clip, or that it cannot be used."""
    lengths = len(content), len(landmarks)
    num_frames = min(lengths)
    if max(lengths) - num_frames > MOST_APART or not num_frames:
        out.skip(utt_id, f"has {lengths[0]} frames of sound and {lengths[1]} of landmarks")
        return
    if max(lengths) > num_frames:
        logging.warning("%s: %d frames of sound, %d of landmarks; cut to the shorter", utt_id, *lengths)
    points = np.asarray(landmarks[:num_frames], np.float64).reshape(-1, 68, 3)
    matrices = {
        "content": content[:num_frames],
        "embedding": embedding[None],
        "landmarks": landmarks[:num_frames],
        "registered": rigid_registration(points, shared.std_face[ANCHORS]).reshape(num_frames, -1),
        "pose": head_pose(points, shared.anchor_t_shape)[0],
    }
    out.add(utt_id, matrices, {"utt2spk": spk, "utt2num_frames": num_frames, "utt2num_pictures": 0})


def export_pickles(dump_dir: str | os.PathLike, pickle_dir: str | os.PathLike, name: str) -> dict[str, int]:
    """Write stage 11's dumps as the published code's trainers read them.

    Args:
        dump_dir: Folder of the dumps, e.g. dump/makeittalk, with ``statistics.npz``.
        pickle_dir: Folder to write.
        name: What the names begin with.

    Returns:
        For each file name's beginning the number of clips.

    Raises:
        FileNotFoundError: There is no dump.
    """
    dump_dir, pickle_dir = Path(dump_dir), Path(pickle_dir)
    sets = sorted(path.parent for path in dump_dir.glob("*/content.scp"))
    if not sets:
        raise FileNotFoundError(f"no {dump_dir}/*/content.scp; run stage 11")
    shared = Statistics.load(dump_dir)
    result, voices = {}, {}
    for folder in sets:
        stem = f"{name}_{STATUSES.get(folder.name, folder.name)}"
        result[stem] = _export_set(folder, pickle_dir / stem, shared, voices)
    mean = {spk: (total / count).astype(np.float32) for spk, (total, count) in sorted(voices.items())}
    with atomic_path(pickle_dir / EMBEDDINGS) as temporary:
        temporary.write_bytes(_as_old_numpy(pickle.dumps(mean, PROTOCOL)))
    return result


def _export_set(folder: Path, stem: Path, shared: Statistics, voices: dict[str, tuple[np.ndarray, int]]) -> int:
    """Write one set's pickles, and add up its speakers' embeddings."""
    places = {key: read_scp(folder / f"{key}.scp") for key in ("content", "landmarks", "pose", "embedding")}
    infos = []
    for index, (utt_id, spk) in enumerate(iter_scp(folder / "utt2spk")):
        embedding = read_rows(places["embedding"][utt_id], 0, 1)[0]
        total, count = voices.get(spk, (np.zeros(256), 0))
        voices[spk] = total + embedding, count + 1
        infos.append((index, utt_id, places["embedding"][utt_id]))

    def matrices(key: str) -> Iterator[np.ndarray]:
        return (read_rows(places[key][utt_id], 0, sys.maxsize) for _, utt_id, _ in infos)

    def with_info(key: str) -> Iterator[tuple]:
        for (index, utt_id, place), matrix in zip(infos, matrices(key), strict=True):
            yield matrix, (index, f"{utt_id}.mp4", read_rows(place, 0, 1)[0])

    def poses(what: int) -> Iterator[np.ndarray]:
        for landmarks in matrices("landmarks"):
            yield _gaze(landmarks.astype(np.float64).reshape(-1, 68, 3), shared)[what]

    write_list(Path(f"{stem}_au.pickle"), with_info("content"))
    write_list(Path(f"{stem}_fl.pickle"), with_info("landmarks"))
    keys = ("rot_trans", "rot_quat", "anchor_t_shape")
    write_lists(Path(f"{stem}_gaze.pickle"), {key: poses(k) for k, key in enumerate(keys)})
    return len(infos)


def _gaze(points: np.ndarray, shared: Statistics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices (T, 3, 4) and quaternions (T, 4) of the pose, and the faces (T, 68, 3) with the head held still."""
    pose, registered = head_pose(points, shared.anchor_t_shape)
    turns = Rotation.from_quat(pose[:, :4]).as_matrix()
    return np.concatenate([turns, pose[:, 4:, None]], axis=2), pose[:, :4], registered


def write_list(path: str | os.PathLike, items: Iterable) -> None:
    """Pickle a list of which one item at a time is in memory, atomically."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(pickle.PROTO + bytes([PROTOCOL]))
        _write_items(file, items)
        file.write(pickle.STOP)


def write_lists(path: str | os.PathLike, lists: dict[str, Iterable]) -> None:
    """Pickle a dictionary of lists of which one item at a time is in memory, atomically."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(pickle.PROTO + bytes([PROTOCOL]) + pickle.EMPTY_DICT)
        for key, items in lists.items():
            file.write(_without_ends(pickle.dumps(key, PROTOCOL)))
            _write_items(file, items)
            file.write(pickle.SETITEM)
        file.write(pickle.STOP)


def _write_items(file, items: Iterable) -> None:
    """Write the opcodes of a list. Every item numbers its parts from 0 again, over those of the item before."""
    file.write(pickle.EMPTY_LIST)
    for item in items:
        file.write(_without_ends(_as_old_numpy(pickle.dumps(item, PROTOCOL))) + pickle.APPEND)


def _without_ends(pickled: bytes) -> bytes:
    """Without the protocol's number and the stop sign."""
    return pickled[2:-1]


def _as_old_numpy(pickled: bytes) -> bytes:
    """Name numpy's functions as releases before 2.0 do, which later ones understand; the name precedes all data."""
    return pickled.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)
