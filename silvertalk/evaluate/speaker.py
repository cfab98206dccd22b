"""How much a voice sounds like its speaker."""

import functools
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from silvertalk.data import Utterance
from silvertalk.media import read_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.speaker import speaker_embedding

RECORDINGS = 10  # of the speaker, that a voice is compared with


class SpeakerSimilarity:
    """Compares voices with recordings of the speaker.

    Args:
        recordings: Of any speakers; of each at most ``count`` are used, spread evenly.
        embed: 16 kHz sound (T,) -> (D,); left out: resemblyzer.
        count: See above.
    """

    def __init__(
        self,
        recordings: Sequence[Utterance],
        embed: Callable[[np.ndarray], np.ndarray] = speaker_embedding,
        count: int = RECORDINGS,
    ):
        by_speaker = defaultdict(list)
        for utterance in recordings:
            by_speaker[utterance.spk].append(utterance)
        # One more than is used, since none is compared with itself.
        self._chosen = {spk: spread(utterances, count + 1) for spk, utterances in by_speaker.items()}
        self._embed, self._count = embed, count
        self._recorded = functools.cache(self._embed_recording)

    def similarity(self, wav: np.ndarray, spk: str, utt_id: str) -> float:
        """Compare a voice with its speaker.

        Args:
            wav: 16 kHz, float (T,).
            spk: Speaker.
            utt_id: What is said; the recording of the same sentence is not compared with.

        Returns:
            Cosine of its embedding and the mean one of the recordings; nan where there is no other recording.
        """
        others = [k for k, u in enumerate(self._chosen.get(spk, ())) if u.utt_id != utt_id][: self._count]
        known = [e for k in others if (e := self._recorded(spk, k)) is not None]
        if not known:
            return float("nan")
        mean, embedding = np.mean(known, axis=0), self._embed(wav)
        return float(mean @ embedding / (np.linalg.norm(mean) * np.linalg.norm(embedding)))

    def _embed_recording(self, spk: str, index: int) -> np.ndarray | None:
        """Describe the voice of a recording; None, with a warning, if it cannot be read."""
        utterance = self._chosen[spk][index]
        try:
            wav, _ = read_audio(utterance.wav, SAMPLING_RATE, utterance.start, utterance.end)
            return self._embed(wav)
        except (ValueError, RuntimeError, FileNotFoundError) as error:
            logging.warning("%s: not compared with: %s", utterance.utt_id, error)
            return None


def spread(items: Sequence, count: int) -> list:
    """Pick ``count`` items, evenly from first to last; all if there are fewer."""
    if len(items) <= count:
        return list(items)
    return [items[k] for k in np.linspace(0, len(items) - 1, count).round().astype(int)]
