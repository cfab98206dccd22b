"""What the readers of corpora share: the folder's check, utterance ids, held-out sets, the media's check."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from silvertalk.data.kaldi import Utterance
from silvertalk.media import MediaInfo, probe
from silvertalk.utils import progress

SETS = ("tr_no_dev", "dev", "eval1")
# Korean files of AI Hub come in both; cp949 is what Windows calls EUC-KR with additions.
ENCODINGS = ("utf-8-sig", "cp949")
LONGEST_NAME = 90  # bytes of part of an id; ids become file names, which may have 255


@dataclass
class Corpus:
    """What a reader found."""

    sets: dict[str, Sequence[Utterance]]  # set name -> its utterances, in any order
    skipped: dict[str, str] = field(default_factory=dict)  # utterance or file -> why it cannot be used
    shares_speakers: bool = False  # whether a speaker may be in two sets, as in a corpus of one speaker
    tables: dict[str, dict[str, str]] = field(default_factory=dict)  # further lists to write: file name -> entries


def require(db_root: str | os.PathLike, paths: dict[str, str], hint: str) -> Path:
    """Check that a corpus lies where the user says.

    Args:
        db_root: The corpus' folder.
        paths: Path or glob below it -> what is to be found there, in the order in which they are asked for.
        hint: Where the corpus is got, for the error's end.

    Returns:
        The absolute folder.

    Raises:
        ValueError: No folder was named.
        FileNotFoundError: The first of the paths that is not there, and what it should look like.
    """
    if not db_root:
        raise ValueError(f"give --db_root the folder that holds the corpus; {hint}")
    root = Path(db_root).absolute()
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}; give --db_root the folder that holds the corpus; {hint}")
    for path, looks_like in paths.items():
        if not any(root.glob(path)):
            raise FileNotFoundError(f"no {root / path}: there should be {looks_like}; {hint}")
    return root


def make_utt_id(spk: str, *parts: object) -> str:
    """Make an utterance id of a speaker and what names the utterance within the speaker.

    "-" joins them: it sorts before letters, digits and "_", so that utterances sorted by id are sorted by
    speaker too, which Kaldi asks for. A speaker's id may hold a "-" only where all ids have one length.

    Example:
        ``make_utt_id("s1", "a b", 7)`` is ``"s1-a_b-7"``.
    """
    return "-".join(re.sub(r"[\s/]+", "_", str(part)) for part in (spk, *parts))


def clean_name(name: str) -> str:
    """Make part of an id of a file's or folder's name.

    Letters, digits, "." and "_" of any script stay; the rest becomes "_". The same Korean name can be stored in
    two forms, of which macOS writes the one that few others do; ids are in the usual one (NFC). A long name is cut.

    Example:
        ``clean_name("내 영상 (1)")`` is ``"내_영상_1"``.
    """
    clean = re.sub(r"[^\w.]+", "_", unicodedata.normalize("NFC", name)).strip("_") or "x"
    if len(clean.encode()) <= LONGEST_NAME:
        return clean
    return clean.encode()[:LONGEST_NAME].decode(errors="ignore") + hashlib.sha256(clean.encode()).hexdigest()[:8]


def tidy(text: str) -> str:
    """Bring a transcript to composed letters (NFC) and single plain spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def read_text(path: str | os.PathLike, encodings: Sequence[str] = ENCODINGS) -> str:
    """Read a text file whose encoding is one of several, without a byte-order mark.

    Raises:
        ValueError: It is in none of them.
    """
    return decode_text(Path(path).read_bytes(), path, encodings)


def decode_text(data: bytes, name: object, encodings: Sequence[str] = ENCODINGS) -> str:
    """Decode what ``read_text`` reads, where it does not lie in a file of its own.

    Args:
        data: The bytes.
        name: What the error calls them.
        encodings: Tried in this order.

    Raises:
        ValueError: It is in none of them.
    """
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError(f"{name}: is not text in {' or '.join(encodings)}; get the file again")


def _order(name: str) -> bytes:
    """Sort key without a meaning: the same on every machine, and more or fewer names change little."""
    return hashlib.sha256(name.encode()).digest()


def hold_out_speakers(utterances: Iterable[Utterance], shares: dict[str, float]) -> dict[str, list[Utterance]]:
    """Give held-out sets speakers of their own, the same ones at every call.

    Args:
        utterances: All.
        shares: Name of a held-out set -> part of the utterances it gets, as ``{"dev": 0.05, "eval1": 0.05}``;
            at least one speaker is taken, and no further one that would go beyond it.

    Returns:
        Set name -> its utterances; the others are in ``tr_no_dev``.

    Raises:
        ValueError: There are fewer speakers than sets.
    """
    utterances = list(utterances)
    count = Counter(u.spk for u in utterances)
    if len(count) <= len(shares):
        raise ValueError(
            f"{len(count)} speakers ({' '.join(sorted(count))}) cannot be split into tr_no_dev and "
            f"{' and '.join(shares)} that share none; give a fuller corpus"
        )
    waiting = sorted(count, key=_order)
    where = {}
    for name, share in shares.items():
        taken = 0
        for spk in waiting[: len(count) - len(shares)]:
            if not taken or taken + count[spk] <= share * len(utterances):
                where[spk] = name
                taken += count[spk]
        waiting = [spk for spk in waiting if spk not in where]
    sets: dict[str, list[Utterance]] = {name: [] for name in ("tr_no_dev", *shares)}
    for utterance in utterances:
        sets[where.get(utterance.spk, "tr_no_dev")].append(utterance)
    return sets


def hold_out_utterances(
    utterances: Iterable[Utterance], dev_share: float = 0.05, eval_share: float = 0.075, min_utterances: int = 10
) -> dict[str, list[Utterance]]:
    """Hold out some utterances of every speaker, the same ones at every call.

    Args:
        utterances: All.
        dev_share: Part of each speaker's utterances for dev.
        eval_share: Part for eval1.
        min_utterances: A speaker with fewer is only trained on.

    Returns:
        Set name -> its utterances.
    """
    spoken: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        spoken.setdefault(utterance.spk, []).append(utterance)
    sets: dict[str, list[Utterance]] = {name: [] for name in SETS}
    for own in spoken.values():
        own.sort(key=lambda u: _order(u.utt_id))
        num_eval, num_dev = (round(share * len(own)) for share in (eval_share, dev_share))
        if len(own) < min_utterances:
            num_eval = num_dev = 0
        sets["eval1"] += own[:num_eval]
        sets["dev"] += own[num_eval : num_eval + num_dev]
        sets["tr_no_dev"] += own[num_eval + num_dev :]
    return sets


def hold_out_last(
    utterances: Iterable[Utterance], num_dev: int, num_eval: int, max_share: float = 0.05
) -> dict[str, list[Utterance]]:
    """Hold out the last utterances by id: those before the end for dev, the end for eval1, as ESPnet's recipes do.

    Args:
        utterances: All.
        num_dev: Utterances of dev in the whole corpus.
        num_eval: Utterances of eval1.
        max_share: Largest part of a smaller copy that either gets, at least one utterance.

    Returns:
        Set name -> its utterances.
    """
    ordered = sorted(utterances, key=lambda u: u.utt_id)
    most = max(1, round(max_share * len(ordered)))
    first_eval = max(0, len(ordered) - min(num_eval, most))
    first_dev = max(0, first_eval - min(num_dev, most))
    return {
        "tr_no_dev": ordered[:first_dev],
        "dev": ordered[first_dev:first_eval],
        "eval1": ordered[first_eval:],
    }


def look_at_all(paths: Iterable[str], nj: int = 1) -> dict[str, MediaInfo | str]:
    """Read the headers of media files or folders of pictures, each once.

    Damage behind the header is met by the stages that read it all.

    Args:
        paths: The files; one named twice is opened once.
        nj: Files opened at a time.

    Returns:
        Path -> what it says about itself, or why it cannot be opened.
    """
    paths = sorted(set(paths))
    with ThreadPoolExecutor(nj) as pool:
        found = progress(pool.map(look_at, paths), desc="media", total=len(paths))
        return dict(zip(paths, found, strict=True))


def look_at(path: str) -> MediaInfo | str:
    """Read the header of one file; see ``look_at_all``."""
    try:
        return probe(path)
    except (RuntimeError, ValueError, OSError) as error:
        return str(error)


def drop_unreadable(
    utterances: Sequence[Utterance], nj: int = 1, skipped: dict[str, str] | None = None
) -> list[Utterance]:
    """Leave out utterances whose files cannot be opened, or lack picture or sound; see ``look_at_all``.

    Args:
        utterances: To be checked.
        nj: Files opened at a time.
        skipped: Gets the ids of those left out, with reasons.

    Returns:
        The others, in their order.
    """
    found = look_at_all((path for u in utterances for path in (u.video, u.wav) if path), nj)
    kept = []
    for u in utterances:
        fault = _fault(u, found)
        if fault is None:
            kept.append(u)
        elif skipped is not None:
            skipped[u.utt_id] = fault
    return kept


def _fault(u: Utterance, found: dict[str, MediaInfo | str]) -> str | None:
    """Why an utterance has no picture, or no sound."""
    for path, lacks in ((u.video, "width"), (u.wav, "has_audio")):
        if path and isinstance(found[path], str):
            return found[path]
        if path and not getattr(found[path], lacks):
            return f"{path}: has no {'picture' if lacks == 'width' else 'sound'}"
    return None
