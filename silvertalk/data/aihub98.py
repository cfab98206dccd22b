"""AI Hub 98: written-down calls between citizens and call centres, in Korean; text only.

Dialogues of the city of Seoul's Dasan call centre, of finance and insurance, of shops and of the disease control
agency. Here they become dialogues for a counsellor to learn from, and prompts for a voice to be recorded with.

Source: https://aihub.or.kr, data set 98, "민원(콜센터) 질의-응답 데이터"; AI Hub gives its data to Korean nationals who
log in and apply. Licence: AI Hub's terms of use. Citation: as AI Hub's page of the data set asks.

Layout that is read, zipped or unpacked; 라벨링데이터's ending differs by release, 원천데이터 is passed over:

    1.Training/라벨링데이터_220121_add/다산콜센터/민원(콜센터) 질의응답_다산콜센터_대중교통 안내_Training.zip
    2.Validation/라벨링데이터_220121_add/다산콜센터/민원(콜센터) 질의응답_다산콜센터_대중교통 안내_Validation.zip

A zip holds JSON files, each a flat list with one record for every utterance.
"""

import hashlib
import json
import os
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from silvertalk.data.corpus import decode_text, make_utt_id, require

HINT = "egs/aihub98/text1/README.md says how to get it"
EXAMPLE = "1.Training/라벨링데이터*/다산콜센터/민원(콜센터) 질의응답_다산콜센터_대중교통 안내_Training.zip"
SOURCES = "원천데이터"  # sound, and texts without the labels
UTF8_FLAG = 0x800  # of a zip member's name

CUSTOMER, COUNSELLOR = "customer", "counsellor"
# Field, which may go on as "고객질문(요청)" -> who says it, and how. One of them is filled in a record.
TEXT_FIELDS = {
    "고객질문": (CUSTOMER, "question"),
    "상담사질문": (COUNSELLOR, "question"),
    "고객답변": (CUSTOMER, "answer"),
    "상담사답변": (COUNSELLOR, "answer"),
}
INTENT_FIELDS = {CUSTOMER: "고객의도", COUNSELLOR: "상담사의도"}
NEEDED = ("도메인", "카테고리", "대화셋일련번호", "문장번호")

# Everything else cannot be read aloud in one way only: names left out (ㅇㅇㅇ, ○○, OOO, ***), Latin letters, signs.
SPEAKABLE = re.compile(r"[가-힣0-9 .,?!~'\"-]+")


@dataclass
class Turn:
    """What one of the two says without being interrupted, or a part of it."""

    speaker: str  # customer or counsellor
    kind: str  # question (or request) or answer
    intent: str  # as labelled, "" where it is not
    text: str


@dataclass
class Dialogue:
    """One call."""

    id: str  # domain, category and number, unique
    domain: str
    category: str
    turns: list[Turn]

    def to_json(self) -> str:
        """One line of dialogues.jsonl."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass
class Source:
    """A JSON file of the corpus, perhaps inside a zip file."""

    name: str  # for messages
    is_validation: bool
    path: Path
    member: zipfile.ZipInfo | None = None  # inside the zip file


def find_files(db_root: str | os.PathLike, skipped: dict[str, str]) -> list[Source]:
    """Find the files of labels below a folder.

    Args:
        db_root: The folder.
        skipped: Gets the zip files that cannot be opened.

    Returns:
        Validation's first, otherwise sorted by name.

    Raises:
        FileNotFoundError: There is no such folder or file.
        RuntimeError: There is no file that can be opened.
    """
    root = require(db_root, {}, HINT)
    found = []
    for folder, subfolders, names in os.walk(root):
        # macOS takes Korean names apart (NFD), so names are compared when put together.
        subfolders[:] = sorted(name for name in subfolders if not _nfc(name).startswith(SOURCES))
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix == ".json":
                found.append(Source(str(path.relative_to(root)), _is_validation(path), path))
            elif path.suffix == ".zip":
                found += _members(path, root, skipped)
    if not found and skipped:
        raise RuntimeError("; ".join(f"{name}: {reason}" for name, reason in sorted(skipped.items())[:3]))
    if not found:
        raise FileNotFoundError(
            f"no {root / EXAMPLE}: there should be .zip files with such names or the .json files from them; {HINT}"
        )
    return sorted(found, key=lambda source: (not source.is_validation, source.name))


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _is_validation(path: Path) -> bool:
    """Which part a file belongs to; the innermost name that tells counts."""
    return re.findall("Training|Validation", str(path))[-1:] == ["Validation"]


def _members(path: Path, root: Path, skipped: dict[str, str]) -> list[Source]:
    """The JSON files inside a zip file."""
    zip_name = str(path.relative_to(root))
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".json")]
    except (zipfile.BadZipFile, OSError) as error:
        skipped[zip_name] = f"the archive cannot be opened ({error}); get it again"
        return []
    return [Source(f"{zip_name}:{_member_name(member)}", _is_validation(path), path, member) for member in members]


def _member_name(member: zipfile.ZipInfo) -> str:
    """The readable name of a member: packed on Korean Windows, it is not marked as what it is."""
    if member.flag_bits & UTF8_FLAG:
        return member.filename
    return decode_text(member.filename.encode("cp437"), member.filename, ("utf-8", "cp949", "cp437"))


def read_records(source: Source) -> list[dict]:
    """Read one file: keys without the spaces around them.

    Raises:
        ValueError: It is damaged, or not a list of records.
    """
    try:
        if source.member is None:
            data = source.path.read_bytes()
        else:
            with zipfile.ZipFile(source.path) as archive:
                data = archive.read(source.member)
        records = json.loads(decode_text(data, source.name), object_pairs_hook=_strip_keys)
    except (OSError, zipfile.BadZipFile, zlib.error, json.JSONDecodeError) as error:
        raise ValueError(f"cannot be read ({error}); get it again") from error
    if not isinstance(records, list):
        raise ValueError("is not a list of records; only the labels of AI Hub 98 are read here")
    return records


def _strip_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {_nfc(key).strip(): value for key, value in pairs}


class Dialogues:
    """Reads dialogues file by file, so that the corpus is never held in memory.

    Attributes:
        num_records: Records read.
        num_repeated: Dialogues left out because the same one came before, perhaps from a zip file and unpacked.

    Args:
        skipped: Gets the files and records that cannot be used.
    """

    def __init__(self, skipped: dict[str, str]):
        self.num_records = self.num_repeated = 0
        self._skipped = skipped
        self._seen: set[bytes] = set()  # hashes of what was said
        self._ids: dict[str, int] = {}  # id -> dialogues that have it

    def read(self, source: Source) -> Iterator[Dialogue]:
        """Read the dialogues of one file, in the order in which they begin there."""
        try:
            records = read_records(source)
        except ValueError as error:
            self._skipped[source.name] = str(error)
            return
        grouped: dict[tuple[str, str, str], list[tuple[int, dict]]] = {}
        for place, record in enumerate(records, 1):
            self.num_records += 1
            try:
                number = _sentence_number(record)
            except ValueError as error:
                self._skipped[f"{source.name}:{place}"] = str(error)
            else:
                key = tuple(_nfc(str(record[name])).strip() for name in NEEDED[:3])
                grouped.setdefault(key, []).append((number, record))
        for (domain, category, number), own in grouped.items():
            own.sort(key=lambda numbered: numbered[0])  # the numbers are written as text: "10" stands before "2"
            turns = [turn for _, record in own for turn in to_turns(record)]
            if self._is_new(domain, category, turns):
                yield Dialogue(self._unique_id(domain, category, number), domain, category, turns)

    def _is_new(self, domain: str, category: str, turns: list[Turn]) -> bool:
        said = json.dumps([domain, category, [(turn.speaker, turn.text) for turn in turns]])
        digest = hashlib.sha256(said.encode()).digest()[:16]
        is_new = digest not in self._seen
        self._seen.add(digest)
        self.num_repeated += not is_new
        return is_new

    def _unique_id(self, domain: str, category: str, number: str) -> str:
        """The numbers may begin anew in Validation, or in another release."""
        name = make_utt_id(domain, category, number)
        self._ids[name] = self._ids.get(name, 0) + 1
        return name if self._ids[name] == 1 else f"{name}_{self._ids[name]}"


def _sentence_number(record: object) -> int:
    """Check a record, and tell its place in the dialogue."""
    if not isinstance(record, dict):
        raise ValueError(f"'{record}' is no record with names")
    if missing := [name for name in NEEDED if name not in record]:
        raise ValueError(f"the record has no {missing[0]}")
    if not re.fullmatch(r"\s*\d+\s*", str(record["문장번호"])):
        raise ValueError(f"문장번호 is '{record['문장번호']}', not a number")
    if not to_turns(record):
        raise ValueError(f"the record has no text in any of {', '.join(TEXT_FIELDS)}")
    return int(record["문장번호"])


def to_turns(record: dict) -> list[Turn]:
    """What is said in a record: one turn, rarely more."""
    turns = []
    for field, (speaker, kind) in TEXT_FIELDS.items():
        for name, value in record.items():
            if name.startswith(field) and (text := clean_text(value)):
                turns.append(Turn(speaker, kind, clean_text(record.get(INTENT_FIELDS[speaker])), text))
    return turns


def clean_text(value: object) -> str:
    """Plain spaces, syllables put together; "" for what is no text."""
    return " ".join(_nfc(value).split()) if isinstance(value, str) else ""


def share_of(name: str) -> float:
    """A number in [0, 1) that belongs to a name, the same on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


class Prompts:
    """Chooses what is fit to be read aloud for a voice: each sentence once.

    Args:
        speakers: Whose turns are taken.
        min_length: Fewest characters, spaces included.
        max_length: Most.
        digits: Whether numbers may be in it; readers speak them in more than one way.

    Attributes:
        left_out: reason -> number of turns.
    """

    def __init__(self, speakers: Iterable[str], min_length: int, max_length: int, digits: bool):
        self._speakers, self._lengths, self._digits = set(speakers), (min_length, max_length), digits
        self._seen: set[bytes] = set()
        self.left_out: dict[str, int] = {}

    def of(self, dialogue: Dialogue) -> Iterator[tuple[str, str]]:
        """Id and text of a dialogue's prompts."""
        for number, turn in enumerate(dialogue.turns, 1):
            if turn.speaker not in self._speakers:
                continue
            if reason := self._unfit(turn.text):
                self.left_out[reason] = self.left_out.get(reason, 0) + 1
            else:
                yield make_utt_id(dialogue.id, f"{number:03d}"), turn.text

    def _unfit(self, text: str) -> str | None:
        if not SPEAKABLE.fullmatch(text):
            return "names left out, Latin letters or signs"
        if not self._digits and re.search(r"\d", text):
            return "digits"
        if not self._lengths[0] <= len(text) <= self._lengths[1]:
            return "too short or too long"
        digest = hashlib.sha256(text.encode()).digest()[:16]
        if digest in self._seen:
            return "said before"
        self._seen.add(digest)
        return None
