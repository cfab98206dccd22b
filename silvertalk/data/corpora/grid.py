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

import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av

from silvertalk.data.corpus import Corpus, hold_out_speakers, hold_out_utterances, require
from silvertalk.data.download import fetch_zip, zenodo_files
from silvertalk.data.kaldi import Utterance
from silvertalk.utils import progress

RECORD_URL = "https://zenodo.org/api/records/3625687"
ALIGNMENTS = "alignments.zip"
HINT = "--download true fetches it, egs/grid/av1/README.md says how else to get it"
# What most papers test on, two men and two women.
UNSEEN = ("s1", "s2", "s20", "s22")

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
    dict(
        zip("123456789z", ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero"], strict=True)
    ),
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)


def read(
    db_root: str,
    nj: int = 1,
    spk: str = "",
    quality: str = "normal",
    split: str = "utterance",
    dev_share: float = 0.05,
    eval_share: float = 0.075,
    min_clips: int = 10,
    num_frames: int = NUM_FRAMES,
) -> Corpus:
    """Read GRID.

    Args:
        db_root: Folder that holds s1, s2, ... and, if there are any, the align files.
        nj: Clips checked at a time.
        spk: Speakers to take, as "s1" or "s1,s2,s20"; empty takes all.
        quality: "normal" or "high", where a speaker has both videos.
        split: "utterance": sentences of every speaker are held out. "speaker": eval1 has the speakers that
            papers call unseen (s1, s2, s20, s22), dev has others; none is in two sets.
        dev_share: Part held out for dev, of each speaker's clips or of all.
        eval_share: Part of each speaker's clips held out for eval1.
        min_clips: Speakers with fewer clips are only trained on, where sentences are held out.
        num_frames: Frames of a whole clip, others are left out; 0 takes any.
    """
    if quality not in ("normal", "high"):
        raise ValueError(f"--quality takes normal or high, not '{quality}'")
    if split not in ("utterance", "speaker"):
        raise ValueError(f"--split takes utterance or speaker, not '{split}'")
    clips = find_clips(db_root, spk.replace(",", " ").split() or None, quality)
    wrong = disagreeing_aligns(clips)
    log_disagreements(wrong, clips)
    skipped = faulty_clips(clips, num_frames, nj)
    utterances = [to_utterance(clip) for clip in clips if clip.utt_id not in skipped]
    if split == "speaker":
        sets = split_unseen(utterances, dev_share)
    else:
        sets = hold_out_utterances(utterances, dev_share, eval_share, min_clips)
    return Corpus(sets, skipped, shares_speakers=split == "utterance", tables={"align_mismatch.tsv": wrong})


def split_unseen(utterances: list[Utterance], dev_share: float) -> dict[str, list[Utterance]]:
    """Keep the usual unseen speakers for eval1, and hold out others for dev."""
    unseen = [u for u in utterances if u.spk in UNSEEN]
    if not unseen:
        raise ValueError(f"--split speaker needs one of {' '.join(UNSEEN)} for eval1; --spk leaves them out")
    return hold_out_speakers([u for u in utterances if u.spk not in UNSEEN], {"dev": dev_share}) | {"eval1": unseen}


def download(db_root: str, spk: str = "", record_url: str = RECORD_URL) -> None:
    """Fetch the archives of speakers, and the align files; what is there is kept.

    Args:
        db_root: Where to put them.
        spk: Speakers, as "s1" or "s1,s2,s20"; empty fetches all.
        record_url: The Zenodo record to download from.
    """
    speakers = spk.replace(",", " ").split()
    files = zenodo_files(record_url)
    offered = [name.removesuffix(".zip") for name in files if name[0] == "s" and name[1:-4].isdigit()]
    for name in speakers:
        if name not in offered:
            raise ValueError(f"{record_url} has no speaker '{name}'; it has {' '.join(sorted(offered))}")
    for name in ([ALIGNMENTS] if ALIGNMENTS in files else []) + [f"{spk}.zip" for spk in speakers or sorted(offered)]:
        fetch_zip(files[name], db_root)


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
    root = require(db_root, {}, HINT)
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
