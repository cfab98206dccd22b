"""GRID: short commands spoken into a camera.

34 talkers, 1000 sentences each of the form "bin blue at f two now", 3 s at
25 fps; talker s21 has no video. Sound and picture are in one MPEG file.

Source: https://zenodo.org/records/3625687 (one archive per talker), or the
University of Sheffield's pages. Licence: free for research use; CC BY 4.0
according to its Zenodo record. Citation: M. Cooke, J. Barker, S. Cunningham,
X. Shao, "An audio-visual corpus for speech perception and automatic speech
recognition", J. Acoust. Soc. Am. 120(5), 2006.

Layouts that are read (the first is Zenodo's, the second Sheffield's):

    s1/bbaf2n.mpg                   alignments/s1/bbaf2n.align
    s1/video/mpg_6000/bbaf2n.mpg    s1/align/bbaf2n.align
"""

import hashlib
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av

from silvertalk.data.kaldi import Utterance
from silvertalk.utils import progress

ALIGN_UNITS_PER_SECOND = 25000
NUM_FRAMES = 75  # of every clip that is whole
HIGH_QUALITY_FOLDER = "mpg_6000"
VIDEO_SUFFIXES = (".mpg", ".mp4")
SILENCES = ("sil", "sp")

# One letter of a file name for each word of the sentence.
CODE = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},  # no w: too long a word
    {
        "1": "one",
        "2": "two",
        "3": "three",
        "4": "four",
        "5": "five",
        "6": "six",
        "7": "seven",
        "8": "eight",
        "9": "nine",
        "z": "zero",
    },  # fmt: skip
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)


@dataclass
class GridClip:
    """One recording."""

    spk: str  # s1 ... s34
    code: str  # six letters that spell the sentence
    video: Path  # picture and sound
    align: Path | None  # word times, where there are any

    @property
    def utt_id(self) -> str:
        """Id in data directories; "-" sorts before digits, so s1 and s10 stay apart."""
        return f"{self.spk}-{self.code}"


def sentence(code: str) -> str:
    """Spell out a file-name code.

    Example:
        ``sentence("bbaf2n")`` is ``"bin blue at f two now"``.

    Raises:
        ValueError: Not a GRID code.
    """
    if len(code) != len(CODE) or any(letter not in words for letter, words in zip(code, CODE, strict=True)):
        raise ValueError(f"'{code}' is not a GRID file name of six letters such as bbaf2n")
    return " ".join(words[letter] for letter, words in zip(code, CODE, strict=True))


def read_align(path: str | os.PathLike) -> list[tuple[float, float, str]]:
    """Read the word times of a clip.

    Args:
        path: File with lines ``start end word``, times in 1/25000 s.

    Returns:
        (start, end, word) of every word, seconds, without the silences.

    Raises:
        ValueError: A line is not of that form.
    """
    words = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 3 or not (fields[0].isdigit() and fields[1].isdigit()):
            raise ValueError(f"{path}:{number}: '{line}' is not 'start end word'")
        if fields[2] not in SILENCES:
            words.append((int(fields[0]) / ALIGN_UNITS_PER_SECOND, int(fields[1]) / ALIGN_UNITS_PER_SECOND, fields[2]))
    return words


def find_clips(
    db_root: str | os.PathLike, speakers: list[str] | None = None, quality: str = "normal"
) -> list[GridClip]:
    """List the recordings below a folder, in either published layout.

    Args:
        db_root: The folder that holds ``s1``, ``s2``, ...
        speakers: Names of those wanted; None takes all.
        quality: ``normal`` (360x288) or ``high`` (720x576), where there are both.

    Returns:
        Clips sorted by speaker number and code.

    Raises:
        FileNotFoundError: No such folder, speaker, or no recording there.
    """
    root = Path(db_root).absolute()
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}; give --db_root the folder that holds GRID's s1, s2, ...")
    present = sorted((p.name for p in root.iterdir() if re.fullmatch(r"s\d+", p.name)), key=lambda name: int(name[1:]))
    for name in speakers or []:
        if name not in present:
            raise FileNotFoundError(f"no folder {root / name}; there are: {' '.join(present) or 'no speakers'}")
    clips = [clip for spk in speakers or present for clip in _clips_of(root, spk, quality)]
    if not clips:
        raise FileNotFoundError(
            f"no GRID recordings such as s1/bbaf2n.mpg in {root}; give another --db_root, or --download true"
        )
    return clips


def _clips_of(root: Path, spk: str, quality: str) -> list[GridClip]:
    """Clips of one speaker, one per code."""
    videos: dict[str, Path] = {}
    aligns: dict[str, Path] = {}
    for folder in (root / spk, root / "alignments" / spk):
        for path in sorted(folder.rglob("*")):
            if path.suffix == ".align":
                aligns[path.stem] = path
            elif path.suffix in VIDEO_SUFFIXES and _is_code(path.stem):
                wanted = (HIGH_QUALITY_FOLDER in path.parts) == (quality == "high")
                if wanted or path.stem not in videos:
                    videos[path.stem] = path
    return [GridClip(spk, code, videos[code], aligns.get(code)) for code in sorted(videos)]


def _is_code(stem: str) -> bool:
    try:
        return bool(sentence(stem))
    except ValueError:
        return False


def disagreeing_aligns(clips: list[GridClip]) -> dict[str, str]:
    """Compare the align files with the file names.

    Published packages hold some speakers' alignments under another speaker's
    name, so the file name, which was part of the recording session, is right.

    Returns:
        utt_id -> what its align file says instead.
    """
    wrong = {}
    for clip in clips:
        if clip.align is None:
            continue
        try:
            words = " ".join(word for _, _, word in read_align(clip.align))
        except (ValueError, UnicodeDecodeError) as error:
            words = f"(unreadable: {error})"
        if words != sentence(clip.code):
            wrong[clip.utt_id] = words
    return wrong


def clip_fault(clip: GridClip, num_frames: int = NUM_FRAMES) -> str | None:
    """Say why a clip cannot be used.

    Args:
        clip: The recording.
        num_frames: Frames it must have; 0 takes any number.

    Returns:
        The reason, None for a good clip.
    """
    try:
        with av.open(str(clip.video), metadata_errors="ignore") as container:
            if not container.streams.video or not container.streams.audio:
                return "no picture" if not container.streams.video else "no sound"
            packets = {"video": 0, "audio": 0}
            for packet in container.demux(video=0, audio=0):
                packets[packet.stream.type] += packet.size > 0
    except (av.FFmpegError, OSError) as error:
        return f"cannot be read ({error.strerror})"
    if not packets["audio"]:
        return "no sound"
    if num_frames and packets["video"] != num_frames:
        return f"{packets['video']} frames instead of {num_frames}"
    return None


def faulty_clips(clips: list[GridClip], num_frames: int = NUM_FRAMES, nj: int = 1) -> dict[str, str]:
    """Check many clips in ``nj`` threads: utt_id -> reason of those that cannot be used."""
    with ThreadPoolExecutor(nj) as pool:
        faults = pool.map(lambda clip: clip_fault(clip, num_frames), clips)
        return {
            c.utt_id: f for c, f in progress(zip(clips, faults, strict=True), desc="GRID clips", total=len(clips)) if f
        }


def split_clips(
    clips: list[GridClip], dev_share: float = 0.05, eval_share: float = 0.075, min_clips: int = 10
) -> dict[str, list[GridClip]]:
    """Hold out some sentences of every speaker, the same ones at every call.

    Args:
        clips: All clips.
        dev_share: Part of each speaker's clips for dev.
        eval_share: Part for eval1.
        min_clips: A speaker with fewer is only trained on.

    Returns:
        Set name -> its clips.
    """
    sets: dict[str, list[GridClip]] = {"tr_no_dev": [], "dev": [], "eval1": []}
    for spk in dict.fromkeys(clip.spk for clip in clips):
        # Ordered by a hash, so that more or fewer clips at hand change the sets little.
        own = sorted((c for c in clips if c.spk == spk), key=lambda c: hashlib.sha256(c.utt_id.encode()).digest())
        num_eval, num_dev = (round(share * len(own)) for share in (eval_share, dev_share))
        if len(own) < min_clips:
            num_eval = num_dev = 0
        sets["eval1"] += own[:num_eval]
        sets["dev"] += own[num_eval : num_eval + num_dev]
        sets["tr_no_dev"] += own[num_eval + num_dev :]
    return sets


def to_utterance(clip: GridClip) -> Utterance:
    """Make the entry of a data directory; the video's own sound is its sound."""
    return Utterance(clip.utt_id, clip.spk, sentence(clip.code), str(clip.video), str(clip.video))


def log_disagreements(wrong: dict[str, str], clips: list[GridClip]) -> None:
    """Warn about align files that belong to other sentences, a line for each speaker."""
    for spk in sorted({clip.spk for clip in clips}):
        ids = [clip.utt_id for clip in clips if clip.spk == spk and clip.utt_id in wrong]
        if ids:
            logging.warning(
                "%s: %d align files do not say what the file name says, as %s '%s'; the file name is used%s",
                spk, len(ids), ids[0], wrong[ids[0]],
                " (they seem to be another speaker's)" if len(ids) > 5 else "",
            )  # fmt: skip
