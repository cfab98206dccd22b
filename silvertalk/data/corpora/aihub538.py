"""AI Hub 538: Korean sentences read into up to nine cameras, for lip reading (also known as OLKAVS).

1,107 speakers, common people and experts, in quiet and in noise: 1,150 hours of sound, filmed at 1920x1080 by
five of nine cameras at a time. A recording is about five minutes long and holds about forty sentences, whose
times are in its label.

Source: https://aihub.or.kr, data set 538, "립리딩(입모양) 음성인식 데이터"; AI Hub gives its data to Korean nationals
who log in and apply. Licence: AI Hub's terms of use. Citation: J. Park et al., "OLKAVS: an open large-scale Korean
audio-visual speech dataset", arXiv 2301.06375, 2023.

Layout that is read, unpacked or still as .tar files, in folders of any name (only TS/TL, VS/VL, Training and
Validation, and the names of the files mean something):

    1.Training/원천데이터/TS1.tar, with      TS1/소음환경1/C(일반인)/F(여성)/F(여성)_1/lip_J_1_F_02_C032_A_010.mp4
    1.Training/라벨링데이터/TL1.tar, with    TL1/소음환경1/C(일반인)/F(여성)/F(여성)_1/lip_J_1_F_02_C032_A_010.json
    2.Validation/원천데이터/VS5.tar, 2.Validation/라벨링데이터/VL5.tar    likewise

A name is lip_{J indoors|K outdoors}_{noise}_{F|M}_{age}_{speaker}_{angle}_{session}.
"""

import json
import logging
import os
import re
import shutil
import tarfile
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from silvertalk.data.corpus import Corpus, decode_text, hold_out_speakers, make_utt_id, require
from silvertalk.data.kaldi import Utterance
from silvertalk.media import MediaInfo, probe
from silvertalk.utils import atomic_path, progress, remove_leftovers

HINT = "egs/aihub538/av1/README.md says how to get it"
EXAMPLE = "1.Training/원천데이터/TS1/소음환경1/C(일반인)/F(여성)/F(여성)_1/lip_J_1_F_02_C032_A_010"

NAME = re.compile(
    r"lip_(?P<place>[JK])_(?P<noise>\d+)_(?P<sex>[FM])_(?P<age>\d+)_(?P<spk>[CE]\d+)_(?P<angle>[A-I])_(?P<session>\d+)"
)
ANGLES = "ABCDEFGHI"  # A is the front
PART = re.compile(r"(?:^|/)(?:[TV][SL]\d+(?=[./:])|\d\.(?:Training|Validation)(?=/))")
JAMO_LABELS = "자소"  # a second tree of labels, of letters instead of sentences

UNINTELLIGIBLE = re.compile(r"(?<![A-Za-z])[Xx]+(?![A-Za-z])")
# "(spoken)/(written)"; the slash may be missing, and an ending may stand behind both.
TWO_READINGS = re.compile(r"\(([^()/]*)\)([^()/\s]*)(?:\s*/\s*)?\([^()/]*\)\2")

BOX_ORDERS = ("y_top,x_left,y_bottom,x_right", "x_left,y_top,x_right,y_bottom")
BOX_SLACK = 0.02  # of the picture; boxes may stand out a little
NO_BOXES = "none"


def read(
    db_root: str,
    nj: int = 1,
    angles: str = "A",
    pad: float = 0.5,
    extract_dir: str = "",
    dev_share: float = 0.05,
    eval_share: float = 0.05,
) -> Corpus:
    """Read AI Hub 538.

    Args:
        db_root: Folder that holds 1.Training and 2.Validation, or what there is of them.
        nj: Files opened at a time.
        angles: Cameras to take, as "A" (front) or "A,C,G" (front, left, right).
        pad: Seconds added at both ends of a sentence, at most half-way to the next one: labels cut into speech.
        extract_dir: Folder for the videos, where they still lie in .tar files; only those of the angles are written.
        dev_share: Part of the training speakers' utterances for dev.
        eval_share: Part for eval1, where the corpus' own Validation cannot be it.
    """
    wanted = set(angles.replace(",", " ").split())
    if not wanted or not wanted <= set(ANGLES):
        raise ValueError(f"--angles takes letters of {ANGLES}, as A or A,C,G, not '{angles}'")
    if pad < 0:
        raise ValueError(f"--pad takes seconds of 0 and more, not {pad}")
    skipped: dict[str, str] = {}
    recordings = find_recordings(db_root, wanted, skipped)
    extract_videos(recordings, extract_dir, nj)
    sets: dict[bool, list[Utterance]] = {False: [], True: []}
    orders = {}
    with ThreadPoolExecutor(nj) as pool:
        loaded = pool.map(lambda recording: load_recording(recording, pad), recordings)
        for recording, found in zip(recordings, progress(loaded, "labels", len(recordings)), strict=True):
            sets[recording.is_validation] += found.utterances
            skipped |= found.skipped
            if found.box_order:
                orders[recording.key] = found.box_order
    _log_orders(orders)
    return Corpus(split(sets[False], sets[True], dev_share, eval_share), skipped, tables={"box_order.tsv": orders})


def split(
    training: list[Utterance], validation: list[Utterance], dev_share: float, eval_share: float
) -> dict[str, list[Utterance]]:
    """Keep the corpus' own Validation as eval1 if its speakers are nobody else's, else hold out speakers of all."""
    shared = {u.spk for u in training} & {u.spk for u in validation}
    if training and validation and not shared:
        return hold_out_speakers(training, {"dev": dev_share}) | {"eval1": validation}
    reason = f"'{min(shared)}' is in both Training and Validation" if shared else "only one of Training and Validation"
    logging.info("%s: dev and eval1 get speakers of all", reason)
    return hold_out_speakers(training + validation, {"dev": dev_share, "eval1": eval_share})


# -- What there is


@dataclass(frozen=True)
class Stored:
    """A file of the corpus, unpacked or inside a tar file."""

    path: Path  # the file itself, or the tar file
    name: str  # below db_root, "TL1.tar:TL1/..." inside a tar file
    offset: int | None = None  # where it begins in the tar file; None: unpacked
    size: int = 0  # bytes, inside a tar file

    def read(self) -> bytes:
        """Read all of it."""
        with open(self.path, "rb") as file:
            file.seek(self.offset or 0)
            return file.read(-1 if self.offset is None else self.size)


@dataclass
class Recording:
    """One session seen by one camera."""

    stem: str  # "lip_J_1_F_02_C032_A_010"
    label: Stored
    video: Stored

    @property
    def spk(self) -> str:
        """Speaker, as "C032" (common) or "E220" (expert)."""
        return NAME.fullmatch(self.stem)["spk"]

    @property
    def key(self) -> str:
        """Id, as "C032-J1F02-010-A"; the utterances' ids begin with it."""
        spk, place, noise, sex, age, session, angle = NAME.fullmatch(self.stem).group(
            "spk", "place", "noise", "sex", "age", "session", "angle"
        )
        return make_utt_id(spk, place + noise + sex + age, session, angle)

    @property
    def is_validation(self) -> bool:
        """Whether it belongs to the corpus' own validation set; the innermost folder that tells counts."""
        parts = PART.findall(self.label.name)
        return bool(parts) and "V" in parts[-1]


def find_recordings(db_root: str | os.PathLike, angles: set[str], skipped: dict[str, str]) -> list[Recording]:
    """Find the videos of some cameras and their labels, below a folder.

    Args:
        db_root: The folder.
        angles: Letters of the cameras.
        skipped: Gets the tar files that end too early, and videos without a label.

    Returns:
        Recordings sorted by name.

    Raises:
        FileNotFoundError: No such folder, no video or no label there.
    """
    root = require(db_root, {}, HINT)
    labels, videos, other_angles = {}, {}, set()
    for stem, suffix, stored in _files(root, skipped):
        if (angle := NAME.fullmatch(stem)["angle"]) in angles:
            # Unpacked files come first, so they count where the tar file is still there too.
            (labels if suffix == ".json" else videos).setdefault(stem, stored)
        else:
            other_angles.add(angle)
    for found, name, looks_like in ((videos, f"{EXAMPLE}.mp4", "videos"), (labels, _label_of(EXAMPLE), "labels")):
        if not found:
            others = f" (there are other angles: {' '.join(sorted(other_angles))})" if other_angles else ""
            raise FileNotFoundError(
                f"no {root / name}: there should be {looks_like} of angle {' '.join(sorted(angles))} with such names, "
                f"unpacked or in .tar files{others}; {HINT}"
            )
    for stem in sorted(set(videos) - set(labels)):
        skipped[stem] = f"{videos[stem].name}: has no label {stem}.json; get the TL or VL file of the same number"
    if unused := sorted(set(labels) - set(videos)):
        logging.warning("%d labels have no video, as %s; are all TS and VS files there?", len(unused), unused[0])
    return [Recording(stem, labels[stem], videos[stem]) for stem in sorted(set(videos) & set(labels))]


def _label_of(name: str) -> str:
    return name.replace("원천데이터/TS", "라벨링데이터/TL") + ".json"


def _files(root: Path, skipped: dict[str, str]) -> Iterator[tuple[str, str, Stored]]:
    """Name, suffix and place of every label and video: first the unpacked ones, then those in tar files."""
    tars = []
    # Hundreds of GB may be spread over disks, joined by links.
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if not _is_jamo(name))
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            path = Path(folder, name)
            if suffix == ".tar":
                tars.append(path)
            elif _is_wanted(stem, suffix):
                yield stem, suffix, Stored(path, str(path.relative_to(root)))
    for tar in progress(tars, desc="tar files"):
        name = str(tar.relative_to(root))
        for member, offset, size in _members(tar, name, skipped):
            *folders, last = member.split("/")
            stem, suffix = os.path.splitext(last)
            if _is_wanted(stem, suffix) and not any(map(_is_jamo, folders)):
                yield stem, suffix, Stored(tar, f"{name}:{member}", offset, size)


def _is_wanted(stem: str, suffix: str) -> bool:
    return suffix in (".json", ".mp4") and NAME.fullmatch(stem) is not None


def _is_jamo(name: str) -> bool:
    """Whether a folder holds the labels of letters; macOS takes Korean names apart (NFD)."""
    return unicodedata.normalize("NFC", name).startswith(JAMO_LABELS)


def _members(path: Path, name: str, skipped: dict[str, str]) -> Iterator[tuple[str, int, int]]:
    """Name, offset and size of what lies in a tar file; only headers are read.

    What stands before a damaged place is used, and the archive is listed.
    """
    length = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.offset_data + member.size > length:
                    skipped[name] = f"the archive ends within {member.name}; get it again"
                    return
                if member.isfile():
                    yield member.name, member.offset_data, member.size
            # Behind a damaged header tarfile sees the end; a true end is empty.
            tar.fileobj.seek(tar.offset)
            if tar.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):
                skipped[name] = f"the archive is damaged at byte {tar.offset}; get it again"
    except tarfile.TarError as error:
        skipped[name] = f"the archive cannot be read ({error}); get it again"


# -- Videos in tar files


def extract_videos(recordings: list[Recording], extract_dir: str, nj: int = 1) -> None:
    """Write the videos that lie in tar files into a folder, and let the recordings point there.

    A video appears when it is whole; one that is there already is kept.

    Args:
        recordings: Those wanted; changed in place.
        extract_dir: The folder.
        nj: Files written at a time.

    Raises:
        ValueError: There are such videos and no folder was named.
        RuntimeError: They do not fit on the disk.
    """
    packed = [recording for recording in recordings if recording.video.offset is not None]
    if not packed:
        return
    total = sum(recording.video.size for recording in packed)
    if not extract_dir:
        raise ValueError(
            f"{len(packed)} videos lie in tar files, the first in {packed[0].video.path}; "
            f"unpack them, or give --extract_dir a folder with {total / 1e9:.1f} GB "
            "(--local_data_opts '--extract_dir FOLDER')"
        )
    folder = Path(extract_dir).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    todo = []
    for recording in packed:
        target = folder / recording.spk / f"{recording.stem}.mp4"
        if not target.is_file() or target.stat().st_size != recording.video.size:
            todo.append((recording.video, target))
        recording.video = replace(recording.video, path=target, offset=None)
    needed, free = sum(stored.size for stored, _ in todo), shutil.disk_usage(folder).free
    if needed > free:
        raise RuntimeError(
            f"{folder}: {len(todo)} videos need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; make room"
        )
    logging.info("%s: %d of %d videos to be extracted, %.1f GB", folder, len(todo), len(packed), needed / 1e9)
    with ThreadPoolExecutor(nj) as pool:
        list(progress(pool.map(lambda job: _extract(*job), todo), desc="videos", total=len(todo)))


def _extract(stored: Stored, target: Path) -> None:
    """Copy one member of a tar file, piece by piece."""
    with atomic_path(target) as temporary, open(stored.path, "rb") as tar, open(temporary, "wb") as out:
        tar.seek(stored.offset)
        left = stored.size
        while left and (block := tar.read(min(left, 1 << 22))):
            out.write(block)
            left -= len(block)


# -- Labels


@dataclass
class Loaded:
    """What a recording gives."""

    utterances: list[Utterance]
    skipped: dict[str, str]  # sentence or recording -> why it cannot be used
    box_order: str = ""  # one of BOX_ORDERS or NO_BOXES; empty where nothing could be read


def load_recording(recording: Recording, pad: float) -> Loaded:
    """Read the label of a recording and the header of its video, and make its utterances."""
    try:
        label = read_label(recording.label)
        info = probe(recording.video.path)
        if not info.width or not info.has_audio or not info.duration:
            lacking = "picture" if not info.width else "sound" if not info.has_audio else "length in its header"
            raise ValueError(f"{recording.video.path}: has no {lacking}; get it again")
        return to_utterances(recording, label, info, pad)
    except (ValueError, RuntimeError, OSError) as error:
        return Loaded([], {recording.key: str(error)})


def read_label(stored: Stored) -> dict:
    """Read a label: a list of one dictionary, whose keys may end in spaces.

    Raises:
        ValueError: It is none.
    """
    text = decode_text(stored.read(), stored.name)
    try:
        label = json.loads(text, object_pairs_hook=lambda pairs: {key.strip(): value for key, value in pairs})
    except json.JSONDecodeError as error:
        raise ValueError(f"{stored.name}: is no JSON ({error}); get it again") from error
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    if not isinstance(label, dict) or not isinstance(label.get("Sentence_info"), list):
        raise ValueError(f"{stored.name}: has no list Sentence_info; get it again")
    return label


def to_utterances(recording: Recording, label: dict, info: MediaInfo, pad: float) -> Loaded:
    """Make the utterances of a recording; the video's own sound is their sound (the wav is 21 ms off)."""
    boxes, order = face_boxes(label, info)
    found = Loaded([], {}, order)
    sentences = {}
    for number, entry in enumerate(label["Sentence_info"], 1):
        utt_id = make_utt_id(recording.key, f"{number:03d}")
        try:
            sentences[utt_id] = _sentence(entry, info.duration)
        except ValueError as error:
            found.skipped[utt_id] = f"{recording.label.name}: sentence {number} has {error}"
    spans = padded([(start, end) for _, start, end in sentences.values()], pad, info.duration)
    path = str(recording.video.path)
    for (utt_id, (text, start, end)), (first, last) in zip(sentences.items(), spans, strict=True):
        if not text or UNINTELLIGIBLE.search(text):
            found.skipped[utt_id] = f"has unintelligible words: '{text}'" if text else "has an empty sentence_text"
        else:
            face = face_point(boxes, start / info.duration, end / info.duration)
            found.utterances.append(Utterance(utt_id, recording.spk, text, path, path, first, last, face))
    return found


def _sentence(entry: dict, duration: float) -> tuple[str, float, float]:
    """Text, start and end (seconds) of a sentence."""
    try:
        text, start, end = clean_text(entry["sentence_text"]), float(entry["start_time"]), float(entry["end_time"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("no sentence_text, start_time and end_time that can be used") from error
    if not 0 <= start < end:
        raise ValueError(f"the times {start} to {end}, which are none")
    if start >= duration:
        raise ValueError(f"the start {start} s, and the recording lasts {duration:.2f} s")
    return text, start, min(end, duration)


def clean_text(text: str) -> str:
    """Keep the first of two readings, and plain spaces.

    Example:
        ``clean_text("(이십)/(20) 퍼센트")`` is ``"이십 퍼센트"``.
    """
    text = TWO_READINGS.sub(r"\1\2", unicodedata.normalize("NFC", text))
    return " ".join(text.split())


def padded(spans: list[tuple[float, float]], pad: float, duration: float) -> list[tuple[float, float]]:
    """Widen spans (seconds) by ``pad`` at both ends, at most to the middle of the gap to a neighbour.

    Args:
        spans: Starts and ends, in any order.
        pad: Seconds.
        duration: Of the recording (seconds).

    Returns:
        The wider spans, in the same order, inside the recording.
    """
    order = sorted(range(len(spans)), key=lambda i: spans[i])
    wider = list(spans)
    last_end = -np.inf  # of all before
    for place, i in enumerate(order):
        start, end = spans[i]
        next_start = spans[order[place + 1]][0] if place + 1 < len(order) else np.inf
        # Where sentences overlap nothing is added, and nothing taken away.
        before, after = min(start, (last_end + start) / 2), max(end, (end + next_start) / 2)
        wider[i] = (max(start - pad, before, 0.0), min(end + pad, after, duration))
        last_end = max(last_end, end)
    return wider


# -- Faces


def face_boxes(label: dict, info: MediaInfo) -> tuple[np.ndarray, str]:
    """Read the boxes of the face, one for each frame of the video.

    They are called xtl_ytl_xbr_ybr and hold y_top, x_left, y_bottom, x_right. Should some files keep to the name,
    the order in which more boxes lie inside the picture is right.

    Returns:
        Boxes as x1, y1, x2, y2 in parts of width and height, (T, 4), NaN where one cannot be used; and their order
        in the file, or NO_BOXES.
    """
    try:
        listed = label["Bounding_box_info"]["Face_bounding_box"]["xtl_ytl_xbr_ybr"]
        whole = (box if isinstance(box, list) and len(box) == 4 else [np.nan] * 4 for box in listed)
        boxes = np.array(list(whole), np.float64).reshape(-1, 4)
    except (KeyError, TypeError, ValueError):
        return np.zeros((0, 4)), NO_BOXES
    found = []
    for order, columns in zip(BOX_ORDERS, ([1, 0, 3, 2], [0, 1, 2, 3]), strict=True):
        parts = boxes[:, columns] / (info.width, info.height, info.width, info.height)
        inside = (parts[:, :2] < parts[:, 2:]).all(1) & (parts >= -BOX_SLACK).all(1) & (parts <= 1 + BOX_SLACK).all(1)
        found.append((np.where(inside[:, None], parts, np.nan), order, int(inside.sum())))
    best, order, count = max(found, key=lambda each: each[2])  # of equals the first, which is known to be used
    return (best, order) if count else (np.zeros((0, 4)), NO_BOXES)


def face_point(boxes: np.ndarray, first: float, last: float) -> tuple[float, float] | None:
    """Where the middle of the face is in a part of a recording.

    Args:
        boxes: (T, 4), from ``face_boxes``.
        first: Begin, as a part of the recording; frame rates in labels are not reliable.
        last: End.

    Returns:
        x, y as parts of width and height, None where no box can be used.
    """
    own = boxes[int(first * len(boxes)) : int(last * len(boxes)) + 1]
    own = own[~np.isnan(own).any(axis=1)]
    if not len(own):
        return None
    x1, y1, x2, y2 = np.clip(np.median(own, axis=0), 0, 1)
    return float((x1 + x2) / 2), float((y1 + y2) / 2)


def _log_orders(orders: dict[str, str]) -> None:
    """Say how boxes were written; data/box_order.tsv has it for each recording."""
    for order in (*BOX_ORDERS, NO_BOXES):
        if own := sorted(key for key, value in orders.items() if value == order):
            logging.info("face boxes as %s in %d recordings, the first is %s", order, len(own), own[0])
