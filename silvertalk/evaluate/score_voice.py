"""Score the synthetic voice of stage 8, or of any folder, resumable, one job's share at a time.

A line of ``voice.tsv`` is one utterance of one kind: ``real`` (the recording: what a recogniser hears in it, and how
much it sounds like the speaker's other recordings), ``generated`` (the synthetic voice), ``control`` (the recording of
another sentence: what a voice that says something else gets).
"""

import functools
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from silvertalk.data import PartWriter, Utterance, read_data_dir, read_scp, shard
from silvertalk.evaluate.sound import measure_sound
from silvertalk.evaluate.speaker import SpeakerJudge
from silvertalk.evaluate.transcript import UNSPACED, count_errors, spoken_letters, spoken_words
from silvertalk.evaluate.voice import SAMPLING_RATE, VoiceFeatures, analyse, compare_voices
from silvertalk.evaluate.words import Recognizer, choose_recognizer
from silvertalk.media import read_audio
from silvertalk.tts.normalise import detect_language
from silvertalk.utils import progress, write_text

KINDS = ("real", "generated", "control")
COLUMNS = (
    "utt_id",
    "kind",
    "mcd",
    "log_f0_rmse",
    "vuv_error",
    "duration_ratio",
    "duration_error",
    "speaker_similarity",
    "words",
    "word_errors",
    "word_hits",
    "letters",
    "letter_errors",
    "level",
    "clipped",
    "click",
    "silence",
    "text",
    "heard",
    "unknown_words",
    "note",
)
RECOGNISER = "recogniser"  # file beside the rows: what heard the words, or why nothing did
ERRORS = (ValueError, RuntimeError, FileNotFoundError)
ESPEAK_NAMES = {"cmn": "zh"}  # eSpeak NG's names of languages -> ours and Whisper's


@dataclass
class Recognition:
    """How words are recognised.

    Args:
        recogniser: grammar, lm, whisper, none, or auto; see ``choose_recognizer``.
        grammar: JSGF file that the sentences follow.
        whisper_model: Folder of Whisper's weights in faster-whisper's layout.
        language: Of the transcripts, or auto: by their script.
        device: Of Whisper.
    """

    recogniser: str = "auto"
    grammar: str | None = None
    whisper_model: str | None = None
    language: str = "auto"
    device: str = "cpu"

    def language_of(self, texts: Sequence[str]) -> str:
        """Name the language: what was given, else that of most texts."""
        if self.language != "auto":
            name = self.language.split("-")[0]
            return ESPEAK_NAMES.get(name, name)
        found = Counter(map(detect_language, texts)).most_common(1)
        return found[0][0] if found else "en"

    def choose(self, language: str) -> tuple[Recognizer | None, str]:
        """Take a recogniser; see ``choose_recognizer``."""
        return choose_recognizer(self.recogniser, self.grammar, self.whisper_model, language, self.device)


class VoiceScorer:
    """Scores one utterance after the other.

    Args:
        references: What was said; an utterance without ``wav`` has no recording.
        synthetic: utt_id -> file of the synthetic voice.
        recognizer: For word errors, or None to leave them out.
        language: Of the transcripts.
        speaker: Compares voices with the speaker's recordings, or None to leave that out.
    """

    def __init__(
        self,
        references: Sequence[Utterance],
        synthetic: Mapping[str, str],
        recognizer: Recognizer | None = None,
        language: str = "en",
        speaker: SpeakerJudge | None = None,
    ):
        self.references = {u.utt_id: u for u in references}
        self.synthetic, self.recognizer, self.language, self.speaker = synthetic, recognizer, language, speaker
        self._others = _other_sentences([u for u in references if u.wav])
        # The control's recording is the next utterance's reference.
        recent = functools.lru_cache(maxsize=4)
        self._recording = recent(lambda utt_id: self._read_recording(utt_id, SAMPLING_RATE)[0])
        self._recorded: Callable[[str], VoiceFeatures] = recent(lambda utt_id: analyse(self._recording(utt_id)))
        self._heard = recent(lambda utt_id: self._recognise(self._recording(utt_id)))

    def score(self, utt_id: str) -> list[dict]:
        """Score recording, synthetic voice and control of one utterance, as far as there are any."""
        rows = []
        for kind in self._kinds(utt_id):
            row = {"utt_id": utt_id, "kind": kind, "text": self.references[utt_id].text or ""}
            try:
                for part in getattr(self, f"_score_{kind}")(utt_id):
                    row |= part
            except ERRORS as error:
                logging.warning("%s: not scored: %s", utt_id, error)
                row["note"] = " ".join(str(error).split())
            rows.append(row)
        return rows

    def _kinds(self, utt_id: str) -> Sequence[str]:
        """Which rows an utterance can have."""
        if not self.references[utt_id].wav:
            return ("generated",)
        return KINDS if utt_id in self.synthetic else ("real",)

    # What comes first is kept when a later measure fails: nothing is heard in silence, so all its words are wrong.

    def _score_real(self, utt_id: str) -> Iterator[dict]:
        yield self._words(utt_id, self._heard(utt_id))
        yield measure_sound(*self._read_recording(utt_id))
        self._recorded(utt_id)
        yield self._similarity(utt_id, self._recording(utt_id))

    def _score_generated(self, utt_id: str) -> Iterator[dict]:
        wav, _ = read_audio(self.synthetic[utt_id], SAMPLING_RATE)
        yield self._words(utt_id, self._recognise(wav))
        yield measure_sound(*read_audio(self.synthetic[utt_id]))
        features = analyse(wav)
        yield self._similarity(utt_id, wav)
        if self.references[utt_id].wav:
            yield compare_voices(features, self._recorded(utt_id))

    def _score_control(self, utt_id: str) -> Iterator[dict]:
        if utt_id not in self._others:
            raise ValueError("no other sentence of this speaker to serve as control")
        other = self._others[utt_id]
        yield self._words(utt_id, self._heard(other))
        yield compare_voices(self._recorded(other), self._recorded(utt_id))

    def _read_recording(self, utt_id: str, sampling_rate: int | None = None) -> tuple[np.ndarray, int]:
        utterance = self.references[utt_id]
        return read_audio(utterance.wav, sampling_rate, utterance.start, utterance.end)

    def _recognise(self, wav: np.ndarray) -> list[str]:
        """Words that are heard; none without a recogniser."""
        heard = " ".join(self.recognizer(wav)) if self.recognizer else ""
        return spoken_words(heard, self.language)

    def _words(self, utt_id: str, heard: list[str]) -> dict:
        """Count the words and letters of the transcript, and the errors of what is heard."""
        words = spoken_words(self.references[utt_id].text or "", self.language)
        if self.recognizer is None or not words:
            return {}
        letters = spoken_letters(words, self.language)
        row = {
            "heard": " ".join(heard),
            "letters": float(len(letters)),
            "letter_errors": float(count_errors(letters, spoken_letters(heard, self.language))[0]),
        }
        if self.language not in UNSPACED:
            errors, hits = count_errors(words, heard)
            row |= {"words": float(len(words)), "word_errors": float(errors), "word_hits": float(hits)}
            row["unknown_words"] = " ".join(self.recognizer.unknown(words))
        return row

    def _similarity(self, utt_id: str, wav: np.ndarray) -> dict:
        """Compare with the speaker's recordings."""
        if self.speaker is None:
            return {}
        return {"speaker_similarity": self.speaker.similarity(wav, self.references[utt_id].spk, utt_id)}


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
    recognition: Recognition | None = None,
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Score one job's utterances of stage 8; one that cannot be scored keeps its line, with a note.

    Args:
        decode_dir: Stage 8's folder of one set, with ``wav/wav.scp``.
        ref_dir: Data directory of the recordings.
        out_dir: Score folder; parts go to ``out_dir/voice/parts``.
        recognition: How words are recognised.
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
    score_utterances(scored, references, synthetic, out_dir, recognition, job, num_jobs)


def score_utterances(
    scored: Sequence[str],
    references: Sequence[Utterance],
    synthetic: Mapping[str, str],
    out_dir: str | os.PathLike,
    recognition: Recognition | None = None,
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Score one job's share of some utterances.

    Args:
        scored: Their ids.
        references: What was said in all of them, and recordings that voices are compared with.
        synthetic: utt_id -> file of the synthetic voice.
        out_dir: See ``score_job``.
        recognition: How words are recognised.
        job: 1-based number of the job.
        num_jobs: Number of jobs.
    """
    recognition = recognition or Recognition()
    folder = Path(out_dir) / "voice"
    language = recognition.language_of([u.text for u in references if u.text])
    recognizer, description = recognition.choose(language)
    write_text(folder / "expected", "".join(f"{utt_id}\n" for utt_id in scored))
    write_text(folder / RECOGNISER, f"{description}\n")
    judge = SpeakerJudge([u for u in references if u.wav])
    scorer = VoiceScorer(references, synthetic, recognizer, language, judge)
    with PartWriter(folder, job) as out:
        for utt_id in progress([u for u in shard(scored, job, num_jobs) if u not in out.done], desc=f"voice {job}"):
            out.add(utt_id, {}, {"rows": json.dumps(scorer.score(utt_id))})
