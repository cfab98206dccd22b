"""What is measured: every figure of score files and pages, declared once.

Scorers, tables, pages and plots follow these declarations; docs/METRICS.md describes each and shows how to add one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

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
    group: str = ""  # tables of pages show some groups; the others are in the score file only
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


OPENINGS = ("opening", "wanted", "seen")
# Of a ``clip.Clip``, in the order of the score file.
LIPS = (
    Metric("frames", group="face", inputs=("track",), function=len),
    Metric("detected", group="face", inputs=("track",), function=lambda track: track.detected.mean()),
    Metric(
        "lip_correlation", "lip opening correlation", "higher",
        group="video", inputs=OPENINGS, function=lips.opening_correlation, real=1.0,
    ),
    Metric(
        "correlation_spread", "its spread within clips", "lower",
        group="video", inputs=OPENINGS, function=lips.correlation_spread, real=0.0,
    ),
    Metric("articulation", "articulation", "1", group="video", inputs=OPENINGS, function=lips.articulation, real=1.0),
    Metric(
        "landmark_distance", "landmark distance", "lower", unit="% of face",
        group="video", inputs=("shapes",), function=lambda shapes: lips.landmark_distance(*shapes),
    ),
    Metric("psnr", "mouth PSNR", "higher", 1, "dB", group="video", inputs=("mouths",), function=lips.psnr),
    Metric("ssim", "mouth SSIM", "higher", 3, group="video", inputs=("mouths",), function=lips.ssim),
    Metric(
        "sharpness", "mouth sharpness", "1", group="video", inputs=("mouths",), function=lips.sharpness, real=1.0,
    ),
    Metric(
        "lpips", "mouth LPIPS", "lower", 3,
        group="video", inputs=("lpips", "mouths"), function=lambda lpips, mouths: lpips(mouths[::EVERY]),
    ),
    Metric(
        "silence_motion", "motion in silence", "0",
        group="video", inputs=("opening", "silent", "spoken"), function=lips.silence_motion,
    ),
    Metric(
        "sound_correlation", "lip opening and sound level", "higher",
        group="sound", inputs=("lag",), function=lambda lag: lag[lips.MAX_LAG],
    ),
    Metric("sound_offset", inputs=("lag",), function=lambda lag: lag.argmax() - lips.MAX_LAG),
    Metric("distance", "expert distance", "lower", 3, group="expert", inputs=("expert",)),
    Metric("distance_spread", "its spread within clips", digits=3, group="expert", inputs=("expert",)),
    Metric("confidence", "expert confidence", "higher", 3, group="expert", inputs=("expert",)),
    Metric("offset", "expert offset", "0", 1, "frames", group="expert", inputs=("expert",)),
    Metric(
        "pair_accuracy", "expert picks the true sound", digits=0, unit="%", scale=100,
        group="expert", inputs=("expert",),
    ),
    Metric("lse_d", "LSE-D", "lower", group="lse", inputs=("lse",)),
    Metric("lse_c", "LSE-C", "higher", group="lse", inputs=("lse",)),
    Metric("lse_offset", "SyncNet v2's offset", "0", 1, "frames", group="lse", inputs=("lse",)),
    Metric("lse_spread", "spread of LSE-C within clips", group="lse", inputs=("lse",)),
    Metric(
        "length_error", "length error", "0", 1, "frames",
        group="sound", inputs=("track", "sound_frames"), function=lambda track, frames: len(track) - frames,
    ),
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
# Of a ``score_voice.Reading``, in the order of the score file.
VOICE = (
    Metric("mcd", "MCD", "lower", unit="dB", group="voice", inputs=("distances",)),
    Metric("log_f0_rmse", "log-F0 RMSE", "lower", 3, group="voice", inputs=("distances",)),
    Metric("vuv_error", "voicing error", "lower", 1, "%", group="voice", inputs=("distances",)),
    Metric("duration_ratio", "duration ratio", "1", group="voice", inputs=("distances",)),
    Metric("duration_error", "duration error", "lower", 1, "%", group="voice", inputs=("distances",)),
    Metric(  # the features refuse silence, in which nobody speaks
        "speaker_similarity", "speaker similarity", "higher",
        group="voice", inputs=("features", "similarity"), function=lambda features, similarity: similarity,
    ),
    Metric("words", inputs=("counts",)),
    Metric("word_errors", inputs=("counts",)),
    Metric("word_hits", inputs=("counts",)),
    Metric("letters", inputs=("counts",)),
    Metric("letter_errors", inputs=("counts",)),
    Metric("level", "loudness", digits=1, unit="LUFS", group="sound", inputs=("faults",)),
    Metric("clipped", "clipped samples", "lower", 3, "%", group="sound", inputs=("faults",)),
    Metric("click", "sharpest edge", "lower", 1, "dB", group="sound", inputs=("faults",)),
    Metric("silence", "silence", digits=1, unit="%", group="sound", inputs=("faults",)),
)  # fmt: skip
TABLES = {"lips": LIPS, "voice": VOICE}  # name of the score file -> its figures
BY_NAME = {metric.name: metric for metrics in TABLES.values() for metric in metrics}
REMARKS = {"lips": ("note",), "voice": ("text", "heard", "unknown_words", "note")}  # behind the figures


def of_groups(metrics: Iterable[Metric], *groups: str) -> list[Metric]:
    """Pick the metrics of some groups, group by group."""
    metrics = list(metrics)
    return [metric for group in groups for metric in metrics if metric.group == group]
