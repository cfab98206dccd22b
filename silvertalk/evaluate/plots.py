"""Plots of the scores."""

import os
from collections.abc import Sequence

import matplotlib
import numpy as np

from silvertalk.evaluate.metrics import CONTROL, VOICE_KINDS, Metric
from silvertalk.evaluate.scores import mean_curve, read_curves
from silvertalk.evaluate.tables import Row, column
from silvertalk.media.timing import FPS
from silvertalk.utils import atomic_path

matplotlib.use("Agg")

# Okabe and Ito's colours, which the colour-blind tell apart.
COLOURS = {"real": "#000000", "recorded": "#0072B2", "generated": "#0072B2", "control": "#D55E00", "video": "#009E73"}
NAMES = {
    "real": "real recording",
    "recorded": "generated",
    "generated": "synthetic voice",
    "control": "control",
    "video": "synthetic voice",
}
SOUNDING = ("real", "recorded", "control", "video")
MAX_CLIPS = 4


def plot_openings(score_dir: str | os.PathLike, rows: Sequence[Row], out: str | os.PathLike) -> bool:
    """Draw the lip opening of a few clips: best, worst and between; False when there is nothing to draw."""
    from matplotlib import pyplot

    curves = read_curves(score_dir, "opening", ("real", "recorded", "control"))
    scores = column(rows, "recorded", "lip_correlation")
    ranked = [u for u in sorted(scores, key=scores.get, reverse=True) if u in curves.get("real", ())]
    if not ranked:
        return False
    picked = sorted({round(i) for i in np.linspace(0, len(ranked) - 1, MAX_CLIPS)})
    figure, axes = pyplot.subplots(len(picked), 1, figsize=(8, 1.9 * len(picked)), squeeze=False, layout="constrained")
    for axis, index in zip(axes[:, 0], picked, strict=True):
        utt_id = ranked[index]
        for kind, table in curves.items():
            if utt_id in table:
                curve = 100 * table[utt_id][:, 0]
                axis.plot(np.arange(len(curve)) / FPS, curve, color=COLOURS[kind], label=NAMES[kind], lw=1.2)
        axis.set_title(f"{utt_id}: correlation {scores[utt_id]:.2f}", fontsize=9)
        axis.set_ylabel("opening (%)")
        axis.margins(x=0)
    axes[0, 0].legend(fontsize=8, ncols=3)
    axes[-1, 0].set_xlabel("time (s)")
    _save(figure, out)
    return True


def plot_histogram(rows: Sequence[Row], metric: Metric, out: str | os.PathLike) -> bool:
    """Draw histograms of a figure up to 1, such as a correlation, of generated clips and control."""
    from matplotlib import pyplot

    values = {kind: list(column(rows, kind, metric.name).values()) for kind in ("recorded", CONTROL)}
    if not any(values.values()):
        return False
    figure, axis = pyplot.subplots(figsize=(5, 3), layout="constrained")
    lowest = min(min(v) for v in values.values() if v)
    bins = np.linspace(min(0.0, np.floor(lowest * 10) / 10), 1, 21)
    for kind, numbers in values.items():
        if numbers:
            label = f"{NAMES[kind]} (mean {np.mean(numbers):.{metric.digits}f})"
            axis.hist(numbers, bins, color=COLOURS[kind], alpha=0.6, label=label)
    axis.set(xlabel=metric.label, ylabel="clips")
    axis.legend(fontsize=8)
    _save(figure, out)
    return True


def plot_bars(rows: Sequence[Row], metric: Metric, out: str | os.PathLike) -> bool:
    """Draw a figure of every synthetic utterance, sorted, with the control."""
    from matplotlib import pyplot

    values = {kind: column(rows, kind, metric.name) for kind in ("generated", CONTROL)}
    order = sorted(values["generated"], key=values["generated"].get)
    if not order:
        return False
    figure, axis = pyplot.subplots(figsize=(max(5, min(12, 0.22 * len(order))), 3.2), layout="constrained")
    places = np.arange(len(order))
    axis.bar(places, [values["generated"][u] for u in order], color=COLOURS["generated"], label=NAMES["generated"])
    control = [values[CONTROL].get(u, np.nan) for u in order]
    axis.plot(places, control, "_", color=COLOURS[CONTROL], ms=8, mew=2, label=VOICE_KINDS[CONTROL])
    if len(order) <= 40:
        axis.set_xticks(places, order, rotation=90, fontsize=7)
    else:
        axis.set_xlabel("utterances")
    axis.set_ylabel(metric.label)
    axis.set_ylim(0, 1.25 * np.nanmax([*values["generated"].values(), *control]))
    axis.legend(fontsize=8, loc="upper left", ncols=2)
    _save(figure, out)
    return True


def plot_offsets(score_dir: str | os.PathLike, out: str | os.PathLike, kinds: Sequence[str] = SOUNDING) -> bool:
    """Draw what pairs lips with sound, averaged over the clips, over the offset: one panel for each measure.

    Args:
        score_dir: Score folder, merged.
        out: The picture.
        kinds: Lines to draw.
    """
    from matplotlib import pyplot

    panels = [
        (curves, title)
        for name, title in (
            ("cosine", "expert's cosine"),
            ("lse", "SyncNet v2's distance"),
            ("lag", "lip opening and sound level"),
        )
        if (curves := read_curves(score_dir, name, kinds))
    ]
    if not panels:
        return False
    figure, axes = pyplot.subplots(1, len(panels), figsize=(4.5 * len(panels), 3), squeeze=False, layout="constrained")
    for axis, (curves, title) in zip(axes[0], panels, strict=True):
        for kind, table in curves.items():
            mean = mean_curve(table)
            label = "generated, synthetic voice" if kind == "video" else NAMES.get(kind, kind)
            axis.plot(np.arange(len(mean)) - len(mean) // 2, mean, color=COLOURS.get(kind), label=label, lw=1.2)
        axis.axvline(0, color="0.7", lw=0.8, zorder=0)
        axis.set(title=title, xlabel="sound late by (frames)")
    axes[0, 0].legend(fontsize=7)
    _save(figure, out)
    return True


def _save(figure, path: str | os.PathLike) -> None:
    """Write a picture atomically and free the figure."""
    from matplotlib import pyplot

    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)
