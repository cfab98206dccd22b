"""A voice of one's own: a folder of recordings and a list of what is said in them.

Source: the user. Licence: the user's matter; whoever speaks has to agree to a copy of the voice. Citation: none.

Layout that is read; the recordings may also lie in folders below:

    transcripts.txt
    spk_id                                   (optional: the speaker's name)
    00000.wav 00001.wav ...                  (or .flac, .mp3, .m4a, .ogg, .opus)

A line of transcripts.txt is ``00000.wav|what is said``, or ``00000|what is said``; a third field is the speaker, where
there are several. It is UTF-8 or, as Windows has it for Korean, CP949, with any line ends.
"""

import logging
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from silvertalk.data.audio_dump import DumpOptions, read_recording
from silvertalk.data.corpus import SETS, Corpus, clean_name, make_utt_id, read_text, require, tidy
from silvertalk.data.kaldi import Utterance
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.utils import progress

HINT = "egs/custom/tts1/README.md says how to lay it out"
TABLE = "transcripts.txt"
SPEAKER_FILE = "spk_id"
SUFFIXES = {".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus"}
FOLDERS = ("wavs", "wav")  # no part of an id
LEAST = 5  # sentences: two to test, two to choose by, one to learn from
ENOUGH = 200  # with so many, ten are held out for each of dev and eval1, five at each end of the list
AT_EACH_END = 5
FEW = 10  # sentences; of several speakers one with fewer is only learnt from

# What can be wrong, and what to do about it.
NO_RECORDING, NO_TEXT, MALFORMED = "lines without a recording", "lines without a text", "lines of another form"
TWICE, UNREADABLE, SILENT = "sentences listed twice", "recordings that cannot be read", "recordings without sound"
NO_LINE = "recordings without a line"
NEXT_STEP = {
    NO_RECORDING: f"record them, or correct the names in {TABLE}",
    NO_TEXT: f"write what is said into {TABLE}, or remove the lines",
    MALFORMED: "write 'file|text', or 'file|text|speaker'",
    TWICE: "keep one line of each, or rename one of the files",
    UNREADABLE: "save them again as WAV or FLAC",
    SILENT: "record them again",
    NO_LINE: f"add a line for each to {TABLE}, or move them away",
}


@dataclass
class Findings:
    """What does not fit, by kind."""

    by_kind: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))  # kind -> where -> what

    def add(self, kind: str, where: str, what: str) -> None:
        """Note one."""
        self.by_kind[kind][where] = what

    def skipped(self) -> dict[str, str]:
        """What of the list cannot be used -> why."""
        return {where: what for kind, own in self.by_kind.items() if kind != NO_LINE for where, what in own.items()}

    def log(self) -> None:
        """Say how many of each kind there are, the first of them, and what to do."""
        for kind in NEXT_STEP:
            if own := self.by_kind.get(kind):
                first = min(own)
                logging.warning("%d %s (first: %s: %s): %s", len(own), kind, first, own[first], NEXT_STEP[kind])


def read(db_root: str, nj: int = 1, spk: str = "", dev: str = "", eval1: str = "") -> Corpus:
    """Read a folder of recordings with their transcripts.

    Args:
        db_root: Folder that holds transcripts.txt and the recordings.
        nj: Recordings checked at a time.
        spk: The speaker of lines that name none; empty takes the file spk_id or, without it, the folder's name.
        dev: File that lists the recordings of dev, a name a line; with eval1, instead of the ends of the list.
        eval1: The same for eval1.
    """
    if bool(dev) != bool(eval1):
        raise ValueError("--dev and --eval1 belong together: give both lists, or neither")
    root = require(db_root, {TABLE: "a list of lines 'file|text'"}, HINT)
    findings = Findings()
    utterances = read_table(root, spk or default_speaker(root), findings)
    utterances = drop_unusable(utterances, nj, findings)
    findings.log()
    logging.info("%d sentences can be used", len(utterances))
    sets = hold_out_listed(utterances, dev, eval1) if dev else hold_out_ends(utterances, root)
    return Corpus(
        sets,
        findings.skipped(),
        shares_speakers=True,
        tables={"unused_recordings.tsv": findings.by_kind[NO_LINE]},
    )


def default_speaker(root: Path) -> str:
    """Find the speaker's name in spk_id, else take the folder's."""
    path = root / SPEAKER_FILE
    name = tidy(read_text(path)) if path.is_file() else ""
    return name or root.name


# ---------------------------------------------------------------------------
# Lines and recordings
# ---------------------------------------------------------------------------


def find_recordings(root: Path) -> list[str]:
    """List the recordings below a folder as paths in it; hidden files are other programs'."""
    found = []
    for parent, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                found.append(Path(parent, name).relative_to(root).as_posix())
    return sorted(found)


def _names_of(path: str) -> list[str]:
    """What a line may call a recording, the clearest first: its path or its name, each with or without suffix."""
    whole = PurePosixPath(unicodedata.normalize("NFC", path))
    return [str(whole), str(whole.with_suffix("")), whole.name, whole.stem]


def read_table(root: Path, default_spk: str, findings: Findings) -> list[Utterance]:
    """Read transcripts.txt and find the recording of each line.

    Args:
        root: Folder of the list.
        default_spk: Speaker of lines that name none.
        findings: Gets what does not fit.

    Returns:
        Utterances in the order of the list; whether their files can be read is not checked.
    """
    everything = find_recordings(root)
    called: dict[tuple[int, str], list[str]] = defaultdict(list)  # way of calling, name -> recordings
    for path in everything:
        for way, name in enumerate(_names_of(path)):
            called[way, name].append(path)
    utterances: dict[str, Utterance] = {}
    meant = set()
    for number, line in enumerate(re.split(r"\r\n|\r|\n", read_text(root / TABLE)), 1):
        if not line.strip():
            continue
        where = f"{TABLE}:{number}"
        fields = [unicodedata.normalize("NFC", part).strip() for part in line.split("|")]
        if fault := _fault(fields):
            findings.add(MALFORMED, where, fault)
            continue
        name = str(PurePosixPath(fields[0].replace("\\", "/")))
        candidates = next((called[way, name] for way in range(4) if (way, name) in called), [])
        meant.update(candidates)
        spk = clean_name((fields[2] if len(fields) == 3 else "") or default_spk)
        utt_id = make_utt_id(spk, _id_of(name))
        if len(candidates) != 1:
            several = f"{name} may be {' or '.join(candidates)}; name the folder" if candidates else f"no {name}"
            findings.add(NO_RECORDING, where, several)
        elif utt_id in utterances:
            findings.add(TWICE, where, f"{name} stands in an earlier line too, as {utt_id}")
        elif not fields[1]:
            findings.add(NO_TEXT, where, f"{name} has none")
        else:
            utterances[utt_id] = Utterance(utt_id, spk, tidy(fields[1]), str(root / candidates[0]))
    for path in set(everything) - meant:
        findings.add(NO_LINE, path, f"is not in {TABLE}")
    return list(utterances.values())


def _fault(fields: list[str]) -> str:
    """Say why a line is none of ours; "" when it is."""
    if len(fields) not in (2, 3) or not fields[0]:
        return f"{len(fields)} fields, or no name"
    if len(fields) == 3 and " " in fields[2]:
        return f"'{fields[2]}' is no name of a speaker, which has no spaces"
    return ""


def _id_of(name: str) -> str:
    """Make the end of an id of a recording's name in the list."""
    path = PurePosixPath(name)
    path = path.with_suffix("") if path.suffix.lower() in SUFFIXES else path
    parts = path.parts[1:] if path.parts[0] in FOLDERS and len(path.parts) > 1 else path.parts
    return clean_name("_".join(parts))


def drop_unusable(utterances: list[Utterance], nj: int, findings: Findings) -> list[Utterance]:
    """Leave out the utterances whose recordings cannot be read to their end, or are silent.

    Args:
        utterances: To be checked.
        nj: Recordings read at a time.
        findings: Gets those left out.
    """
    kept = []
    with ThreadPoolExecutor(nj) as pool:
        looked = pool.map(_listen, utterances)
        for u, (kind, what) in progress(zip(utterances, looked, strict=True), desc="recordings", total=len(utterances)):
            if kind:
                findings.add(kind, u.utt_id, what)
            else:
                kept.append(u)
    return kept


def _listen(u: Utterance) -> tuple[str, str]:
    """Say what is wrong with a recording, and in which words; two empty ones if nothing."""
    try:
        read_recording(u, DumpOptions(SAMPLING_RATE, trim_silence=False))
    except ValueError as error:
        return SILENT, str(error)
    except (RuntimeError, OSError) as error:
        return UNREADABLE, str(error)
    return "", ""


# ---------------------------------------------------------------------------
# Which go where
# ---------------------------------------------------------------------------


def hold_out_ends(utterances: Iterable[Utterance], root: Path) -> dict[str, list[Utterance]]:
    """Hold out both ends of the list: the first and last lines for eval1, those next to them for dev.

    Of 200 sentences and more five at each end, of fewer in proportion, at least one. Of several speakers
    each has ends of its own, but one with fewer than ten sentences has none.

    Raises:
        ValueError: There are too few.
    """
    spoken: dict[str, list[Utterance]] = defaultdict(list)
    for u in utterances:
        spoken[u.spk].append(u)
    most = max(map(len, spoken.values()), default=0)
    if most < LEAST:
        raise ValueError(f"{root}: {most} sentences can be used, at least {LEAST} are needed; {HINT}")
    if most < ENOUGH:
        logging.warning("%d sentences are few for a voice; %d or more, 40 minutes, sound far better", most, 2 * ENOUGH)
    sets: dict[str, list[Utterance]] = {name: [] for name in SETS}
    for own in spoken.values():
        num = min(AT_EACH_END, max(1, round(AT_EACH_END * len(own) / ENOUGH)))
        if len(own) < (FEW if len(spoken) > 1 else LEAST):
            num = 0
        ends = len(own) - num
        sets["eval1"] += own[:num] + own[ends:]
        sets["dev"] += own[num : 2 * num] + own[ends - num : ends]
        sets["tr_no_dev"] += own[2 * num : ends - num]
    return sets


def hold_out_listed(utterances: Iterable[Utterance], dev: str, eval1: str) -> dict[str, list[Utterance]]:
    """Hold out the recordings of two lists.

    Args:
        utterances: All of them.
        dev: File with the name of a recording a line, with or without suffix.
        eval1: Likewise.

    Raises:
        ValueError: A listed recording is not among the utterances, is listed twice, or nothing is left to learn from.
    """
    listed: dict[str, str] = {}  # end of an id -> set
    for name, path in (("dev", dev), ("eval1", eval1)):
        for line in filter(None, map(str.strip, read_text(Path(path)).splitlines())):
            end = _id_of(line)
            if end in listed:
                raise ValueError(f"{path}: {line} is listed twice, or in {dev} and {eval1}; leave one")
            listed[end] = name
    sets: dict[str, list[Utterance]] = {name: [] for name in SETS}
    for u in utterances:
        sets[listed.pop(u.utt_id.removeprefix(f"{u.spk}-"), "tr_no_dev")].append(u)
    if listed:
        end, name = next(iter(listed.items()))
        path = dev if name == "dev" else eval1
        raise ValueError(f"{path}: {len(listed)} recordings cannot be used, the first {end}; see the warnings above")
    for name, own in sets.items():
        if not own:
            raise ValueError(f"{dev}, {eval1}: no sentence is left for {name}; list others")
    return sets
