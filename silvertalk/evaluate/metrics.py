"""What is measured: every figure of score files and pages, declared once.

Scorers, tables, pages and plots follow these declarations; docs/METRICS.md describes each and shows how to add one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from silvertalk.evaluate import lips
from silvertalk.evaluate.features import EVERY

REAL, CONTROL, SILENCE = "real", "control", "silence"
# Kinds of a line -> its title on pages.
LIP_KINDS = {
    REAL: "real recording",
    "recorded": "generated, its own sound",
    CONTROL: "control: generated, another clip's sound",
    "video": "generated, synthetic voice",
    SILENCE: "generated, silence",
}
VOICE_KINDS = {
    REAL: "real recording",
    "generated": "synthetic voice",
    CONTROL: "control: another sentence, recorded",
}
ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}


@dataclass(frozen=True)
class Metric:
    """One figure of a clip, an utterance or a set of clips."""

    name: str  # column of the score file
    title: str = ""  # on pages
    direction: str = ""  # higher or lower is better, or the value that is right, such as 1
    digits: int = 2  # after the point, on pages
    unit: str = ""
    group: str = ""  # which tables of pages show it; "", "face" and what has no title are in the score file only
    inputs: tuple[str, ...] = ()  # attributes of what is measured; where one is None, so is the figure
    function: Callable[..., float | None] | None = None  # takes the inputs; none: the first one holds it by its name
    real: float | None = None  # what a recording has by definition
    scale: float = 1.0  # pages show so many times as much

    @property
    def label(self) -> str:
        """Title with the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def heading(self) -> str:
        """Title with unit and direction."""
        return self.label + ARROWS.get(self.direction, f" →{self.direction}")


def measure(metrics: Iterable[Metric], subject: object) -> Iterator[tuple[str, float]]:
    """Measure what can be measured.

    Args:
        metrics: What to measure.
        subject: Has a ``kind``, and the metrics' inputs as attributes.

    Returns:
        Names and figures.
    """
    for metric in metrics:
        if metric.real is not None and subject.kind == REAL:
            yield metric.name, metric.real
            continue
        inputs = [getattr(subject, name) for name in metric.inputs]
        if all(value is not None for value in inputs):
            value = metric.function(*inputs) if metric.function else inputs[0].get(metric.name)
            if value is not None:
                yield metric.name, float(value)


_video = partial(Metric, group="video")
_moved = partial(_video, inputs=("opening", "wanted", "seen"))
_mouth = partial(_video, inputs=("mouths",))
_sound = partial(Metric, group="sound", inputs=("lag",))
_expert = partial(Metric, group="expert", inputs=("expert",))
_lse = partial(Metric, group="lse", inputs=("lse",))
_face = partial(Metric, group="face", inputs=("track",))
# Of a ``clip.Clip``, in the order of the score file.
LIPS = (
    _face("frames", function=len),
    _face("detected", function=lambda track: track.detected.mean()),
    _moved("lip_correlation", "lip opening correlation", "higher", function=lips.opening_correlation, real=1.0),
    _moved("correlation_spread", "its spread within clips", "lower", function=lips.correlation_spread, real=0.0),
    _moved("articulation", "articulation", "1", function=lips.articulation, real=1.0),
    _video("landmark_distance", "landmark distance", "lower", unit="% of face",
           inputs=("shapes",), function=lambda shapes: lips.landmark_distance(*shapes)),
    _mouth("psnr", "mouth PSNR", "higher", 1, "dB", function=lips.psnr),
    _mouth("ssim", "mouth SSIM", "higher", 3, function=lips.ssim),
    _mouth("sharpness", "mouth sharpness", "1", function=lips.sharpness, real=1.0),
    _video("lpips", "mouth LPIPS", "lower", 3,
           inputs=("lpips", "mouths"), function=lambda lpips, mouths: lpips(mouths[::EVERY])),
    _video("silence_motion", "motion in silence", "0",
           inputs=("opening", "silent", "spoken"), function=lips.silence_motion),
    _sound("sound_correlation", "lip opening and sound level", "higher", function=lambda lag: lag[lips.MAX_LAG]),
    _sound("sound_offset", function=lambda lag: lag.argmax() - lips.MAX_LAG),
    _expert("distance", "expert distance", "lower", 3),
    _expert("distance_spread", "its spread within clips", digits=3),
    _expert("confidence", "expert confidence", "higher", 3),
    _expert("offset", "expert offset", "0", 1, "frames"),
    _expert("pair_accuracy", "expert picks the true sound", digits=0, unit="%", scale=100),
    _lse("lse_d", "LSE-D", "lower"),
    _lse("lse_c", "LSE-C", "higher"),
    _lse("lse_offset", "SyncNet v2's offset", "0", 1, "frames"),
    _lse("lse_spread", "spread of LSE-C within clips"),
    _sound("length_error", "length error", "0", 1, "frames",
           inputs=("track", "sound_frames"), function=lambda track, frames: len(track) - frames),
)  # fmt: skip
# Of the features of all clips of a kind together.
FEATURES = (
    Metric("faces", "Fréchet distance of dlib's face descriptors", "lower", 4, "faces"),
    Metric("lips", "Fréchet distance of the expert's lip embeddings", "lower", 4, "windows"),
    Metric("inception", "FID, torchvision's Inception", "lower", 4, "faces"),
)
# Where the mean of all clips' curves of a kind peaks.
CURVES = (
    Metric("cosine", "offset, all clips together, expert", "0", unit="frames"),
    Metric("lag", "the same by lip opening and sound level", "0"),
)
_voice = partial(Metric, group="voice", inputs=("distances",))
_fault = partial(Metric, group="sound", inputs=("faults",))
# Of a ``score_voice.Reading``, in the order of the score file.
VOICE = (
    _voice("mcd", "MCD", "lower", unit="dB"),
    _voice("log_f0_rmse", "log-F0 RMSE", "lower", 3),
    _voice("vuv_error", "voicing error", "lower", 1, "%"),
    _voice("duration_ratio", "duration ratio", "1"),
    _voice("duration_error", "duration error", "lower", 1, "%"),
    _voice("speaker_similarity", "speaker similarity", "higher",  # the features refuse silence
           inputs=("features", "similarity"), function=lambda features, similarity: similarity),
    *(Metric(count, inputs=("counts",)) for count in ("words", "word_errors", "word_hits", "letters", "letter_errors")),
    _fault("level", "loudness", digits=1, unit="LUFS"),
    _fault("clipped", "clipped samples", "lower", 3, "%"),
    _fault("click", "sharpest edge", "lower", 1, "dB"),
    _fault("silence", "silence", digits=1, unit="%"),
)  # fmt: skip
TABLES = {"lips": LIPS, "voice": VOICE}  # name of the score file -> its figures
BY_NAME = {metric.name: metric for metrics in TABLES.values() for metric in metrics}
REMARKS = {"lips": ("note",), "voice": ("text", "heard", "unknown_words", "note")}  # behind the figures


def of_groups(metrics: Iterable[Metric], *groups: str) -> list[Metric]:
    """Pick the metrics of some groups, group by group."""
    metrics = list(metrics)
    return [metric for group in groups for metric in metrics if metric.group == group]
