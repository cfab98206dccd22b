"""Score the synthetic voice of stage 8, resumable, one job's share at a time.

A line of ``voice.tsv`` is one utterance of one kind: ``real`` (the recording:
what a recogniser hears in it), ``generated`` (the synthetic voice), ``control``
(the recording of another sentence: what a voice that says something else gets).
"""

import functools
import json
import logging
import os
from pathlib import Path

import numpy as np

from silvertalk.data import PartWriter, Utterance, read_data_dir, read_scp, shard
from silvertalk.evaluate.voice import SAMPLING_RATE, VoiceFeatures, analyse, compare_voices
from silvertalk.evaluate.words import WordRecognizer, count_word_errors
from silvertalk.media import read_audio
from silvertalk.utils import progress, write_text

KINDS = ("real", "generated", "control")
COLUMNS = (
    "utt_id",
    "kind",
    "mcd",
    "log_f0_rmse",
    "vuv_error",
    "duration_ratio",
    "words",
    "word_errors",
    "text",
    "heard",
    "note",
)


class VoiceScorer:
    """Scores one utterance after the other.

    Args:
        references: The recordings.
        synthetic: utt_id -> file of the synthetic voice.
        recognizer: For word errors, or None to leave them out.
    """

    def __init__(
        self, references: list[Utterance], synthetic: dict[str, str], recognizer: WordRecognizer | None = None
    ):
        self.references = {u.utt_id: u for u in references}
        self.synthetic, self.recognizer = synthetic, recognizer
        self._others = _other_sentences(references)
        # The control's recording is the next utterance's reference.
        self._recorded = functools.lru_cache(maxsize=4)(self._analyse_recording)

    def score(self, utt_id: str) -> list[dict]:
        """Score recording, synthetic voice and control of one utterance."""
        rows = []
        for kind in KINDS:
            row = {"utt_id": utt_id, "kind": kind, "text": self.references[utt_id].text or ""}
            try:
                row |= self._score_kind(utt_id, kind)
            except (ValueError, RuntimeError, FileNotFoundError) as error:
                logging.warning("%s: not scored: %s", utt_id, error)
                row["note"] = " ".join(str(error).split())
            rows.append(row)
        return rows

    def _score_kind(self, utt_id: str, kind: str) -> dict:
        recorded, real = self._recorded(utt_id)
        if kind == "real":
            return self._words(utt_id, recorded)
        if kind == "generated":
            wav, _ = read_audio(self.synthetic[utt_id], SAMPLING_RATE)
            features = analyse(wav)
        elif utt_id in self._others:
            wav, features = self._recorded(self._others[utt_id])
        else:
            raise ValueError("no other sentence of this speaker to serve as control")
        return compare_voices(features, real) | self._words(utt_id, wav)

    def _analyse_recording(self, utt_id: str) -> tuple[np.ndarray, VoiceFeatures]:
        utterance = self.references[utt_id]
        wav, _ = read_audio(utterance.wav, SAMPLING_RATE, utterance.start, utterance.end)
        return wav, analyse(wav)

    def _words(self, utt_id: str, wav: np.ndarray) -> dict:
        """Count the words of the transcript and the errors of what is heard."""
        text = self.references[utt_id].text
        if self.recognizer is None or not text:
            return {}
        wanted, heard = text.lower().split(), self.recognizer(wav)
        errors = count_word_errors(wanted, heard)
        return {"words": float(len(wanted)), "word_errors": float(errors), "heard": " ".join(heard)}


def _other_sentences(references: list[Utterance]) -> dict[str, str]:
    """Give every utterance the next one of its speaker that says something else."""
    others = {}
    for index, utterance in enumerate(references):
        following = references[index + 1 :] + references[:index]
        for other in following:
            if other.spk == utterance.spk and (other.text is None or other.text != utterance.text):
                others[utterance.utt_id] = other.utt_id
                break
    return others


def score_job(
    decode_dir: str | os.PathLike,
    ref_dir: str | os.PathLike,
    out_dir: str | os.PathLike,
    grammar: str | None = None,
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Score one job's utterances; one that cannot be scored keeps its line, with a note.

    Args:
        decode_dir: Stage 8's folder of one set, with ``wav/wav.scp``.
        ref_dir: Data directory of the recordings.
        out_dir: Score folder; parts go to ``out_dir/voice/parts``.
        grammar: JSGF file for the word accuracy, or None.
        job: 1-based number of the job.
        num_jobs: Number of jobs.
    """
    wav_scp = Path(decode_dir) / "wav" / "wav.scp"
    if not wav_scp.is_file():
        raise FileNotFoundError(f"no {wav_scp}; run stage 8")
    synthetic, references = read_scp(wav_scp), [u for u in read_data_dir(ref_dir) if u.wav]
    scored = [u.utt_id for u in references if u.utt_id in synthetic]
    if not scored:
        raise ValueError(f"{wav_scp} and {ref_dir}/wav.scp have no utterance in common; decode the same set")
    folder = Path(out_dir) / "voice"
    write_text(folder / "expected", "".join(f"{utt_id}\n" for utt_id in scored))
    scorer = VoiceScorer(references, synthetic, WordRecognizer(grammar) if grammar else None)
    with PartWriter(folder, job) as out:
        for utt_id in progress([u for u in shard(scored, job, num_jobs) if u not in out.done], desc=f"voice {job}"):
            out.add(utt_id, {}, {"rows": json.dumps(scorer.score(utt_id))})
