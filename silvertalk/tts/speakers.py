"""Who speaks, and in which language: numbers and embeddings for a voice of several speakers.

A voice keeps in its folder ``spk2sid`` and ``lang2lid`` (name and number in each line, as ESPnet's recipes write them;
0 is nobody's) and ``spk_embed.ark``, a Kaldi archive of the speakers' embeddings; each only where it was trained so.
"""

import functools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import kaldiio
import numpy as np

from silvertalk.data import read_scp, write_scp
from silvertalk.data.kaldi import SortedColumn
from silvertalk.media import read_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.speaker import speaker_embedding
from silvertalk.tts.normalise import detect_language

UNKNOWN = "<unk>"  # number 0
SPEAKERS, LANGUAGES, EMBEDDINGS = "spk2sid", "lang2lid", "spk_embed.ark"


@dataclass(frozen=True)
class Speakers:
    """Who can speak with a voice."""

    sids: dict[str, int] = field(default_factory=dict)  # speaker -> number; empty: the voice takes no numbers
    lids: dict[str, int] = field(default_factory=dict)  # language -> number
    embeddings: dict[str, np.ndarray] = field(default_factory=dict)  # speaker -> (256,) float32

    @property
    def names(self) -> list[str]:
        """Speakers in the order of their names; none for a voice of one speaker."""
        return sorted((self.sids or self.embeddings).keys() - {UNKNOWN})

    def conditions(self, speaker: str = "", language: str = "") -> dict[str, np.ndarray]:
        """Return what the model is given of the speaker and the language.

        Args:
            speaker: One of ``names``; "" is the first. A voice with embeddings and without numbers also takes the name
                of a recording, of somebody whom it need not know.
            language: As "ko"; needed where the voice has languages.

        Returns:
            Arguments of ESPnet's ``Text2Speech``: ``sids`` and ``lids``, int64 (1,), and ``spembs``, float32 (256,),
            those that the voice takes.

        Raises:
            ValueError: The voice does not know the speaker or the language; the message lists those that it knows.
        """
        given = {}
        name = speaker or next(iter(self.names), "")
        if self.sids:
            given["sids"] = np.array([_look_up(self.sids, name, "speaker")])
        if self.embeddings:
            recorded = not self.sids and name not in self.embeddings and Path(name).is_file()
            known = {} if recorded else self.embeddings
            given["spembs"] = embed_recording(name) if recorded else _look_up(known, name, "speaker")
        if self.lids:
            given["lids"] = np.array([_look_up(self.lids, language, "language")])
        return given


def _look_up(table: dict, name: str, what: str):
    if name not in table or name == UNKNOWN:
        raise ValueError(f"this voice has no {what} '{name}'; it has: {' '.join(sorted(table.keys() - {UNKNOWN}))}")
    return table[name]


def embed_recording(path: str | os.PathLike) -> np.ndarray:
    """Describe the voice of a recording, float32 (256,); see ``speaker_embedding``."""
    return _embed_recording(os.fspath(path), os.stat(path).st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _embed_recording(path: str, modified: int) -> np.ndarray:
    """Once for all sentences and texts; ``modified`` tells a new recording of the same name."""
    return speaker_embedding(read_audio(path, SAMPLING_RATE)[0]).astype(np.float32)


def load_speakers(folder: str | os.PathLike) -> Speakers:
    """Read who can speak with the voice of a folder; nobody is named in that of a voice of one speaker."""
    folder = Path(folder)
    numbers = [read_numbers(folder / name) for name in (SPEAKERS, LANGUAGES)]
    archive = folder / EMBEDDINGS
    # What kaldiio reads cannot be written to, which torch warns of.
    embeddings = kaldiio.load_ark(str(archive)) if archive.is_file() else ()
    return Speakers(*numbers, {spk: np.array(embedding) for spk, embedding in embeddings})


def read_numbers(path: str | os.PathLike) -> dict[str, int]:
    """Read ``spk2sid`` or ``lang2lid``, {} where there is none."""
    return {name: int(number) for name, number in read_scp(path).items()} if Path(path).is_file() else {}


def write_numbers(path: str | os.PathLike, names: Iterable[str]) -> None:
    """Number names from 1 on, in their order, and write ``spk2sid`` or ``lang2lid``."""
    write_scp(path, {UNKNOWN: 0} | {name: number for number, name in enumerate(sorted(set(names) - {UNKNOWN}), 1)})


def speaker_column(data_dir: str | os.PathLike) -> Callable[[str], str]:
    """Return a function that tells the speaker of an utterance of a set; ids are asked for in order."""
    column = SortedColumn(Path(data_dir) / "utt2spk")
    return lambda utt_id: column.get(utt_id) or ""


def language_column(data_dir: str | os.PathLike) -> Callable[[str], str]:
    """Return such a function for its language: what ``utt2lang`` says, else by the script of ``text``."""
    named, text = (SortedColumn(Path(data_dir) / name) for name in ("utt2lang", "text"))
    return lambda utt_id: named.get(utt_id) or detect_language(text.get(utt_id) or "")
