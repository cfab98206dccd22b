"""Everything that was measured of a set."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import kaldiio
import numpy as np

from silvertalk.evaluate.features import frechet_distance
from silvertalk.evaluate.metrics import CURVES, FEATURES, REAL
from silvertalk.evaluate.tables import Row, column, merge_scores

RECOGNISER = "recogniser"  # file beside the voice's rows: what heard the words, or why nothing did
UNITS = {"words": ("word_errors", "words"), "letters": ("letter_errors", "characters")}  # counted -> errors, title
Curves = dict[str, Mapping[str, np.ndarray]]  # kind -> utt_id -> (T, 1), or features (N, D)


@dataclass
class Scores:
    """Everything that was measured."""

    lips: list[Row] = field(default_factory=list)
    voice: list[Row] = field(default_factory=list)
    # curve -> kind -> where the mean over clips peaks (frames, positive: sound late) and how high
    peaks: dict[str, dict[str, tuple[int, float]]] = field(default_factory=dict)
    # features -> kind -> Fréchet distance from the real pictures, and how many there are
    frechet: dict[str, dict[str, tuple[float, int]]] = field(default_factory=dict)
    recogniser: str = ""  # what heard the words, or why nothing did


def load_scores(score_dir: str | os.PathLike) -> Scores:
    """Merge the jobs' parts, and compute what takes all clips together.

    Raises:
        FileNotFoundError: Nothing was scored.
        RuntimeError: A job did not finish.
    """
    scores = Scores(merge_scores(score_dir, "lips"), merge_scores(score_dir, "voice"))
    if not scores.lips and not scores.voice:
        raise FileNotFoundError(f"{score_dir} holds no scores; run score_lips or score_voice first (stage 16)")
    heard_by = Path(score_dir) / "voice" / RECOGNISER
    scores.recogniser = heard_by.read_text(encoding="utf-8").strip() if heard_by.is_file() else ""
    kinds = list(dict.fromkeys(row["kind"] for row in scores.lips))
    for metric in FEATURES:
        scores.frechet[metric.name] = _frechet_distances(read_curves(score_dir, metric.name, kinds))
    for metric in CURVES:
        means = {k: mean_curve(table) for k, table in read_curves(score_dir, metric.name, kinds).items() if len(table)}
        scores.peaks[metric.name] = {
            kind: (int(np.nanargmax(mean)) - len(mean) // 2, float(np.nanmax(mean)))
            for kind, mean in means.items()
            if not np.isnan(mean).all()
        }
    return scores


def read_curves(score_dir: str | os.PathLike, name: str, kinds: Sequence[str]) -> Curves:
    """Open what a merged score folder keeps under a name, such as ``lag``, of the kinds that have it."""
    files = {kind: Path(score_dir) / "lips" / f"{name}_{kind}.scp" for kind in kinds}
    return {kind: kaldiio.load_scp(str(path)) for kind, path in files.items() if path.is_file()}


def mean_curve(table: Mapping[str, np.ndarray]) -> np.ndarray:
    """Average (K, 1) curves of all clips: (K,); an offset that no clip has is nan."""
    curves = np.stack([table[utt_id][:, 0] for utt_id in table])
    known = ~np.isnan(curves)
    return np.where(known, curves, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)


def _frechet_distances(tables: Curves) -> dict[str, tuple[float, int]]:
    """Compare every kind's features with the real ones of the same clips."""
    real, result = tables.get(REAL, {}), {}
    for kind, table in tables.items():
        common = [utt_id for utt_id in table if utt_id in real]
        if common:
            made, filmed = (np.concatenate([faces[utt_id] for utt_id in common]) for faces in (table, real))
            result[kind] = (frechet_distance(made, filmed), len(made))
    return result


def share_right(rows: Sequence[Row], kind: str, unit: str) -> tuple[float, int] | None:
    """Share of the words or letters that are heard right, over all utterances of a kind.

    Args:
        rows: Score file.
        kind: See ``score_voice``.
        unit: ``words`` or ``letters``.

    Returns:
        1 - errors / number (insertions can make it negative) and the number; None when they were not scored.
    """
    numbers, errors = column(rows, kind, unit), column(rows, kind, UNITS[unit][0])
    total = int(sum(numbers.values()))
    return (1 - sum(errors.values()) / total, total) if total else None
