"""Score the synthetic voice of stage 8, or of any folder, resumable, one job's share at a time.

A line of ``voice.tsv`` is one utterance of one kind: ``real`` (the recording: what a recogniser hears in it, and how
much it sounds like the speaker's other recordings), ``generated`` (the synthetic voice), ``control`` (the recording of
another sentence: what a voice that says something else gets).
"""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from silvertalk.data import Utterance, read_data_dir, read_scp
from silvertalk.evaluate.jobs import ERRORS, note, score_share
from silvertalk.evaluate.metrics import CONTROL, REAL, TABLES, VOICE_KINDS, measure
from silvertalk.evaluate.scores import RECOGNISER
from silvertalk.evaluate.sound import measure_sound
from silvertalk.evaluate.speaker import SpeakerSimilarity
from silvertalk.evaluate.tables import Row
from silvertalk.evaluate.transcript import UNSPACED, count_errors, spoken_letters, spoken_words
from silvertalk.evaluate.voice import SAMPLING_RATE, VoiceFeatures, analyse, compare_voices
from silvertalk.evaluate.words import Recognition, Recognizer
from silvertalk.media import read_audio
from silvertalk.media.sound import resample
from silvertalk.utils import write_text


@dataclass(eq=False)
class Sound:
    """A recording or a synthetic voice, read when it is asked for, and once."""

    path: str
    recognizer: Recognizer | None
    language: str
    start: float = 0.0  # seconds
    end: float | None = None

    @functools.cached_property
    def own_rate(self) -> tuple[np.ndarray, int]:
        """Sound (T,) as it is in the file, and its rate (Hz)."""
        return read_audio(self.path, None, self.start, self.end)

    @functools.cached_property
    def wav(self) -> np.ndarray:
        """Sound (T',), 16 kHz."""
        return resample(*self.own_rate, SAMPLING_RATE)

    @functools.cached_property
    def features(self) -> VoiceFeatures:
        """Its analysis."""
        return analyse(self.wav)

    @functools.cached_property
    def heard(self) -> list[str]:
        """Words that are heard; none without a recogniser."""
        return spoken_words(" ".join(self.recognizer(self.wav)) if self.recognizer else "", self.language)


@dataclass(eq=False)
class Reading:
    """A sentence as it is spoken, as the metrics see it; None where a kind has no such thing."""

    kind: str
    utterance: Utterance
    sound: Sound
    real: Sound | None  # the recording of the sentence
    speaker: SpeakerSimilarity | None

    @property
    def features(self) -> VoiceFeatures | None:
        """Analysis of what was not said of another sentence."""
        return None if self.kind == CONTROL else self.sound.features

    @functools.cached_property
    def distances(self) -> dict[str, float] | None:
        """From the recording."""
        if self.kind == REAL or self.real is None:
            return None
        return compare_voices(self.sound.features, self.real.features)

    @functools.cached_property
    def similarity(self) -> float | None:
        """To the speaker's recordings."""
        if self.speaker is None or self.kind == CONTROL:
            return None
        return self.speaker.similarity(self.sound.wav, self.utterance.spk, self.utterance.utt_id)

    @functools.cached_property
    def faults(self) -> dict[str, float] | None:
        """Of the sound."""
        return None if self.kind == CONTROL else measure_sound(*self.sound.own_rate)

    @functools.cached_property
    def words(self) -> list[str]:
        """That should be said."""
        return spoken_words(self.utterance.text or "", self.sound.language)

    @functools.cached_property
    def counts(self) -> dict[str, int] | None:
        """Words and letters of the transcript, and the errors of what is heard."""
        if self.sound.recognizer is None or not self.words:
            return None
        heard, language = self.sound.heard, self.sound.language
        letters = spoken_letters(self.words, language)
        row = {"letters": len(letters), "letter_errors": count_errors(letters, spoken_letters(heard, language))[0]}
        if language not in UNSPACED:
            row["words"] = len(self.words)
            row["word_errors"], row["word_hits"] = count_errors(self.words, heard)
        return row

    def remarks(self) -> dict[str, str]:
        """What was heard."""
        counts, remarks = self.counts, {}
        if counts:
            remarks["heard"] = " ".join(self.sound.heard)
        if counts and "words" in counts:
            remarks["unknown_words"] = " ".join(self.sound.recognizer.unknown(self.words))
        return remarks


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
        speaker: SpeakerSimilarity | None = None,
    ):
        self.references, self.synthetic, self.speaker = {u.utt_id: u for u in references}, synthetic, speaker
        self._sound = functools.partial(Sound, recognizer=recognizer, language=language)
        self._others = _other_sentences([u for u in references if u.wav])
        # The control's recording is the next utterance's reference.
        self._recording = functools.lru_cache(maxsize=4)(self._open_recording)

    def _open_recording(self, utt_id: str) -> Sound | None:
        utterance = self.references[utt_id]
        return self._sound(utterance.wav, start=utterance.start, end=utterance.end) if utterance.wav else None

    def score(self, utt_id: str) -> list[Row]:
        """Score recording, synthetic voice and control of one utterance, as far as there are any."""
        if self._recording(utt_id) is None:
            return [self._score("generated", utt_id)]
        return [self._score(kind, utt_id) for kind in (VOICE_KINDS if utt_id in self.synthetic else (REAL,))]

    def _score(self, kind: str, utt_id: str) -> Row:
        """Score one kind; what cannot be measured leaves a note, and the rest is kept."""
        utterance, real = self.references[utt_id], self._recording(utt_id)
        row: Row = {"utt_id": utt_id, "kind": kind, "text": utterance.text or ""}
        if kind == CONTROL and utt_id not in self._others:
            return row | {"note": note(utt_id, ValueError("no other sentence of this speaker to serve as control"))}
        sounds = {REAL: lambda: real, CONTROL: lambda: self._recording(self._others[utt_id])}
        sound = sounds.get(kind, lambda: self._sound(self.synthetic[utt_id]))()
        reading = Reading(kind, utterance, sound, real, self.speaker)
        parts = [functools.partial(measure, [metric], reading) for metric in TABLES["voice"]]
        for part in (*parts, reading.remarks):
            try:
                row |= part()
            except ERRORS as error:
                row["note"] = row.get("note") or note(utt_id, error)
        return row


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
    write_text(folder / RECOGNISER, f"{description}\n")
    speaker = SpeakerSimilarity([u for u in references if u.wav])
    scorer = VoiceScorer(references, synthetic, recognizer, language, speaker)
    score_share(folder, scored, lambda utt_id: (scorer.score(utt_id), {}), job, num_jobs)
