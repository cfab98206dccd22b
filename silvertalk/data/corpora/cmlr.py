"""CMLR: Mandarin sentences of a news programme.

102 072 sentences that 11 newsreaders of China Network Television said from
2009 to 2018; picture, sound and text lie in files of their own. Speakers are
named s1 to s11.

Source: https://www.vipazoo.cn/CMLR.html. Licence: for universities and
research institutes, for research only. Citation: Y. Zhao, R. Xu, M. Song, "A
Cascade Sequence-to-Sequence Model for Chinese Mandarin Lip Reading",
arXiv:1908.04917, 2019.

Layout that is read; where a speaker's archive was unpacked in a folder of its
own, so that there is video/s5/s5, that is found, too:

    video/s5/20151203/section_6_030.63_035.63.mp4
    audio/s5/20151203/section_6_030.63_035.63.wav
    text/s5/20151203/section_6_030.63_035.63.txt
    train.csv  val.csv  test.csv      with lines such as s5/20151203_section_6_030.63_035.63
"""

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from silvertalk.data.corpus import Corpus, drop_unreadable, hold_out_speakers, make_utt_id, read_text, require
from silvertalk.data.kaldi import Utterance
from silvertalk.utils import progress

HINT = "egs/cmlr/av1/README.md says how to get it"
LISTS = {"tr_no_dev": "train.csv", "dev": "val.csv", "eval1": "test.csv"}
SUFFIXES = {"video": "mp4", "audio": "wav", "text": "txt"}
# The first "_" parts date and section; the section's name has more of them, and dots.
LINE = re.compile(r"(?P<spk>s\d+)/(?P<date>[^/_]+)_(?P<section>[^/]+)")
ENCODINGS = ("utf-8-sig", "gb18030")  # as published, and what Windows makes of it


def read(
    db_root: str, nj: int = 1, spk: str = "", split: str = "official", unseen: str = "s2,s6", dev_share: float = 0.05
) -> Corpus:
    """Read the corpus.

    Args:
        db_root: Folder that holds video, audio, text and the lists.
        nj: Files opened at a time.
        spk: Speakers to take, as "s1" or "s1,s2,s5"; empty takes all.
        split: "official": train, val and test, which share all speakers. "unseen": eval1 has the speakers of
            --unseen, dev another one; none is in two sets.
        unseen: Speakers of eval1 where the split is "unseen".
        dev_share: Part of the rest that is dev then; at least one speaker.
    """
    if split not in ("official", "unseen"):
        raise ValueError(f"--split takes official or unseen, not '{split}'")
    root = find_corpus(db_root)
    sections, repeated = read_lists(root)
    folders = find_speakers(root, (section.spk for own in sections.values() for section in own), _words(spk))
    skipped: dict[str, str] = {}
    sets = {}
    for name, own in sections.items():
        own = [section for section in own if section.spk in folders]
        sets[name] = drop_unreadable(read_sections(own, folders, nj, skipped), nj, skipped)
    if split == "unseen":
        sets = split_unseen([u for own in sets.values() for u in own], _words(unseen), dev_share)
    return Corpus(sets, skipped, shares_speakers=split == "official", tables={"left_out.tsv": repeated})


def _words(names: str) -> list[str]:
    return names.replace(",", " ").split()


@dataclass(slots=True)
class Section:
    """One line of a list."""

    spk: str  # s1 ... s11
    date: str  # of the programme
    section: str  # place in it, which is no place in the clip

    @property
    def utt_id(self) -> str:
        """Id in data directories."""
        return make_utt_id(self.spk, self.date, self.section)


def find_corpus(db_root: str) -> Path:
    """Find the folder that holds the corpus: the one named, or CMLR in it."""
    root = require(db_root, {}, HINT)
    root = root if (root / "video").is_dir() else next((p for p in [root / "CMLR"] if p.is_dir()), root)
    wanted = {f"{kind}/s*": f"the speakers' folders, as {kind}/s5/20151203" for kind in SUFFIXES}
    return require(root, wanted | dict.fromkeys(LISTS.values(), "a list of clips"), HINT)


def read_lists(root: Path) -> tuple[dict[str, list[Section]], dict[str, str]]:
    """Read the three lists; what several name is taken once, and rather for testing than for training.

    Returns:
        Set name -> its clips, and the ids of repeated clips -> the list they were not taken from.
    """
    sections: dict[str, list[Section]] = {}
    taken: set[str] = set()
    repeated = {}
    for name in reversed(LISTS):
        sections[name] = []
        for section in read_list(root / LISTS[name]):
            if section.utt_id in taken:
                repeated[section.utt_id] = f"is not taken from {LISTS[name]}: it was listed before"
            else:
                taken.add(section.utt_id)
                sections[name].append(section)
    return sections, repeated


def read_list(path: Path) -> Iterable[Section]:
    """Read a list.

    Raises:
        ValueError: A line is not a clip.
    """
    for number, line in enumerate(read_text(path, ENCODINGS).splitlines(), 1):
        if not line.strip():
            continue
        if not (found := LINE.fullmatch(line.strip())):
            raise ValueError(
                f"{path}:{number}: '{line}' is not like s5/20151203_section_6_030.63_035.63; get the list again"
            )
        yield Section(**found.groupdict())


def find_speakers(root: Path, listed: Iterable[str], wanted: list[str]) -> dict[str, dict[str, Path]]:
    """Find the folders of the speakers.

    Args:
        root: The corpus.
        listed: Speakers in the lists, each once or more often.
        wanted: Those to be taken; none takes all.

    Returns:
        Speaker -> video, audio and text -> folder that holds the dates.

    Raises:
        ValueError: A wanted speaker is in no list.
        FileNotFoundError: One of these folders is missing.
    """
    names = sorted(set(listed), key=lambda name: int(name[1:]))
    if unknown := [name for name in wanted if name not in names]:
        raise ValueError(f"no list of {root} has speaker '{unknown[0]}'; there are: {' '.join(names)}")
    folders: dict[str, dict[str, Path]] = {}
    for name in wanted or names:
        folders[name] = {}
        for kind in SUFFIXES:
            folder = root / kind / name
            if not folder.is_dir():
                raise FileNotFoundError(f"no folder {folder}; unpack the speaker's archive, or leave it out with --spk")
            folders[name][kind] = folder / name if (folder / name).is_dir() else folder
    return folders


def read_sections(
    sections: list[Section], folders: dict[str, dict[str, Path]], nj: int, skipped: dict[str, str]
) -> list[Utterance]:
    """Make the utterances of a list; those without a sentence go to ``skipped``."""

    def load(section: Section) -> Utterance | str:
        paths = {kind: str(folders[section.spk][kind] / section.date / f"{section.section}.{suffix}")
                 for kind, suffix in SUFFIXES.items()}  # fmt: skip
        try:
            text = sentence(Path(paths["text"]))
        except (ValueError, OSError) as error:
            return str(error)
        return Utterance(section.utt_id, section.spk, text, paths["audio"], paths["video"])

    utterances = []
    with ThreadPoolExecutor(nj) as pool:
        found = progress(pool.map(load, sections), desc="CMLR texts", total=len(sections))
        for section, own in zip(sections, found, strict=True):
            if isinstance(own, str):
                skipped[section.utt_id] = own
            else:
                utterances.append(own)
    return utterances


def sentence(path: Path) -> str:
    """Read the sentence of a text file: its first line, whose characters some copies part by spaces.

    Raises:
        FileNotFoundError: No such file.
        ValueError: There is no sentence in it.
    """
    lines = read_text(path, ENCODINGS).splitlines()
    text = "".join(lines[0].split()) if lines else ""
    if not text:
        raise ValueError(f"{path}: has no sentence in its first line; get the file again")
    return text


def split_unseen(utterances: list[Utterance], unseen: list[str], dev_share: float) -> dict[str, list[Utterance]]:
    """Keep some speakers for eval1, and hold out another one or more for dev."""
    eval1 = [u for u in utterances if u.spk in unseen]
    if not eval1:
        raise ValueError(f"--split unseen has none of {' '.join(unseen)} for eval1; --spk or --unseen leaves them out")
    return hold_out_speakers([u for u in utterances if u.spk not in unseen], {"dev": dev_share}) | {"eval1": eval1}
