"""What every kind of ESPnet model has in common for us: text in, sound and the durations of its tokens out."""

import math
from collections.abc import Mapping

import numpy as np

from silvertalk.tts.engine import JetsVoice, is_jets
from silvertalk.tts.options import SpeakOptions
from silvertalk.tts.voice import Utterance

SPEED_MODELS = ("FastSpeech", "FastSpeech2", "VITS")  # ESPnet's classes whose inference takes alpha
Conditions = Mapping[str, np.ndarray]  # arguments of ESPnet's Text2Speech


def wrap_model(text2speech, engine: str = "auto", precision: str = "auto", num_threads: int = 0) -> "EspnetModel":
    """Choose how a loaded model is spoken: JETS with its controls, or any other as ESPnet speaks it.

    Raises:
        ValueError: An engine was asked for that cannot run this model.
    """
    if is_jets(text2speech):
        return JetsModel(text2speech, engine, precision, num_threads)
    if engine not in ("auto", "torch") or precision not in ("auto", "fp32"):
        raise ValueError(
            f"--engine {engine} --precision {precision}: a voice of {model_class(text2speech)} runs in torch fp32 only"
        )
    return EspnetModel(text2speech)


class EspnetModel:
    """Any model of ESPnet's, spoken by its own ``Text2Speech``.

    Args:
        text2speech: A loaded ``Text2Speech``.
    """

    name = "torch fp32"

    def __init__(self, text2speech):
        self.text2speech = text2speech

    @property
    def controls(self) -> tuple[str, ...]:
        """Those of ``silvertalk.tts.voice.CONTROLS`` that it has."""
        return ("speed",) if model_class(self.text2speech) in SPEED_MODELS else ()

    def token_ids(self, text: str) -> np.ndarray:
        """What the network reads (N,) for text that the front end has made."""
        return np.asarray(self.text2speech.preprocess_fn("<typed>", {"text": text})["text"])

    def speak(self, text: str, options: SpeakOptions, conditions: Conditions, in_pieces: bool = False) -> Utterance:
        """Speak a sentence that the front end has made.

        Args:
            text: Words or phonemes.
            options: Controls that it has.
            conditions: Who speaks, see ``Speakers.conditions``.
            in_pieces: Hand out the sound in pieces where the model can.
        """
        control = {"decode_conf": {"alpha": 1 / options.speed}} if options.speed != 1 else {}
        output = self.text2speech(text, **conditions, **control)
        wav = output["wav"].cpu().numpy().astype(np.float32).reshape(-1)
        durations = output.get("duration")
        if durations is None:
            return Utterance.whole(wav)
        durations = durations.cpu().numpy().astype(np.float64).reshape(-1)
        names = self._names(self.token_ids(text))
        names += ["<sos/eos>"] * (len(durations) - len(names))  # mel models close the sentence with it
        return Utterance.whole(wav, names, durations)

    def _names(self, ids: np.ndarray) -> list[str]:
        tokens = self.text2speech.train_args.token_list
        return [tokens[i] for i in ids]


class JetsModel(EspnetModel):
    """JETS, whose speed, pitch and energy can be set; see ``SpeakOptions``.

    Args:
        text2speech: A loaded ``Text2Speech`` of a JETS.
        engine: See ``JetsVoice``.
        precision: Likewise.
        num_threads: Likewise.
    """

    def __init__(self, text2speech, engine: str = "auto", precision: str = "auto", num_threads: int = 0):
        super().__init__(text2speech)
        self.jets = JetsVoice(text2speech, engine, precision, num_threads)
        model = text2speech.model
        self._pitch, self._energy = _statistics(model.pitch_normalize), _statistics(model.energy_normalize)
        self._in_log = getattr(model.pitch_extract, "use_log_f0", True)

    @property
    def name(self) -> str:
        """Engine and precision, for people."""
        return self.jets.name

    @property
    def controls(self) -> tuple[str, ...]:
        """All, but for a feature that the model was trained on as it is, whose deviation is not known."""
        known = {"pitch": self._pitch, "energy": self._energy}
        return ("speed", *(name for name, (mean, _) in known.items() if not math.isnan(mean)))

    def speak(self, text: str, options: SpeakOptions, conditions: Conditions, in_pieces: bool = False) -> Utterance:
        """See ``EspnetModel``."""
        ids = self.token_ids(text)
        controls = (options.speed, self.pitch_offset(options), self.energy_offset(options))
        frames = self.jets.frames(ids, *controls, **conditions)
        pieces = self.jets.stream(frames) if in_pieces else (self.jets.sound(f) for f in [frames])
        num_samples = len(frames.hidden) * self.jets.hop_length
        return Utterance(self._names(ids), frames.durations, num_samples, pieces)

    def pitch_offset(self, options: SpeakOptions) -> float:
        """Semitones as deviations of the voice's log-F0 (of its F0, around its mean, if it was trained on Hz)."""
        mean, deviation = self._pitch
        octaves = options.pitch / 12
        change = octaves * math.log(2) if self._in_log else mean * (2**octaves - 1)
        return change / deviation if octaves else 0.0

    def energy_offset(self, options: SpeakOptions) -> float:
        """Decibels as deviations of the voice's energy, an amplitude, around its mean."""
        mean, deviation = self._energy
        return mean * (10 ** (options.energy / 20) - 1) / deviation if options.energy else 0.0


def _statistics(normalize) -> tuple[float, float]:
    """Mean and deviation of a normalised feature; not a number for one that is not normalised."""
    if normalize is None:
        return math.nan, math.nan
    return float(normalize.mean.reshape(-1)[0]), float(normalize.std.reshape(-1)[0])


def model_class(text2speech) -> str:
    """ESPnet's name of a model, as JETS."""
    return type(getattr(text2speech, "tts", text2speech)).__name__
