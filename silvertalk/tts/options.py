"""How a voice speaks."""

from dataclasses import dataclass

from silvertalk.tts.sentences import COMMA, ELLIPSIS, LONGEST, NOTHING, PARAGRAPH

# Option: the least and the most that is taken; beyond it no voice has heard itself speak.
LIMITS = {"speed": (0.25, 4.0), "pitch": (-12.0, 12.0), "energy": (-20.0, 20.0), "loudness": (-60.0, -6.0)}


@dataclass(frozen=True)
class SpeakOptions:
    """How a voice speaks.

    Speed, pitch and energy are asked of the voice and not done to its sound: JETS is given other durations, and other
    values of log-F0 and energy, than it predicted for each phoneme or character, so that its timbre stays. How far it
    follows is up to what it was trained on. Semitones and decibels become the normalised values of its network by
    the mean and the deviation of its own training recordings. Tacotron 2 knows none of the three, FastSpeech 2 and
    VITS know the speed.

    Args:
        speed: Factor on the rate of speech, 0.25 to 4; 1.25 is a quarter faster.
        pitch: Semitones to speak higher, -12 to 12; negative: lower.
        energy: Decibels of vocal effort more, -20 to 20; the loudness that is heard is set by --loudness.
        pause_stop: Silence after a sentence that ends in a full stop or exclamation mark, seconds; all pauses are
            those of speed 1, and shorten when it is higher.
        pause_question: Silence after a question, seconds.
        pause_ellipsis: Silence after a sentence that ends in an ellipsis, seconds.
        pause_comma: Silence after a comma at which a long sentence was cut, seconds.
        pause_paragraph: Silence after a line, seconds.
        longest: Columns of the longest piece that is spoken at once, two for each Hangul or Chinese character.
        loudness: Wanted loudness in LUFS (ITU-R BS.1770), -60 to -6; null leaves the sound as the voice makes it.
        speaker: Who speaks, of a voice of several; leave out for the first.
        language: In which language, of a voice of several: ko, en, zh, ...; leave out to tell by the script.
    """

    speed: float = 1.0
    pitch: float = 0.0
    energy: float = 0.0
    pause_stop: float = 0.4
    pause_question: float = 0.5
    pause_ellipsis: float = 0.6
    pause_comma: float = 0.15
    pause_paragraph: float = 0.8
    longest: int = LONGEST
    loudness: float | None = None
    speaker: str = ""
    language: str = ""

    def __post_init__(self):
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"--{name} takes {least:g} to {most:g}, not {value:g}")
        for name in ("stop", "question", "ellipsis", "comma", "paragraph"):
            seconds = getattr(self, f"pause_{name}")
            if not 0 <= seconds <= 60:
                raise ValueError(f"--pause_{name} takes 0 to 60 seconds, not {seconds:g}")

    def pause_after(self, ending: str) -> float:
        """Seconds of silence after a sentence that ends in this way; see ``Sentence``."""
        pauses = {
            "?": self.pause_question,
            ELLIPSIS: self.pause_ellipsis,
            COMMA: self.pause_comma,
            PARAGRAPH: self.pause_paragraph,
            NOTHING: 0.0,
        }
        return pauses.get(ending, self.pause_stop) / self.speed
