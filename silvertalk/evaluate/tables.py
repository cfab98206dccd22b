"""Scores as rows, and rows as tables: tab-separated files and Markdown."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from silvertalk.data import combine_parts, read_scp
from silvertalk.evaluate.metrics import REMARKS, TABLES, Metric
from silvertalk.utils import write_text

DIGITS = 4  # of figures, after the point
Row = dict[str, object]  # "utt_id" and "kind", then figures (float) and remarks (str)


def merge_scores(score_dir: str | os.PathLike, name: str) -> list[Row]:
    """Merge the jobs' parts, and write them to ``score_dir/<name>.tsv``, a line each.

    Args:
        score_dir: Score folder.
        name: ``lips`` or ``voice``.

    Returns:
        Rows; none when nothing of the kind was scored.

    Raises:
        RuntimeError: A job did not finish.
    """
    folder = Path(score_dir) / name
    if not (folder / "expected").is_file():
        return []
    combine_parts(folder, (folder / "expected").read_text(encoding="utf-8").split(), max_skipped=1.0)
    found = (row for line in read_scp(folder / "rows").values() for row in json.loads(line))
    # Pages say what the file says.
    rows = [{k: round(v, DIGITS) if isinstance(v, float) else v for k, v in row.items()} for row in found]
    figures = dict.fromkeys((metric.name for metric in TABLES[name]), math.nan)
    columns = ("utt_id", "kind", *figures, *REMARKS[name])
    lines = [columns, *([_cell((figures | row).get(column, "")) for column in columns] for row in rows)]
    write_text(Path(score_dir) / f"{name}.tsv", "".join("\t".join(line) + "\n" for line in lines))
    return rows


def _cell(value: object) -> str:
    """Format one value; tabs and line ends would break the table."""
    return f"{value:.{DIGITS}f}" if isinstance(value, float) else " ".join(str(value).split())


def column(rows: Iterable[Row], kind: str, name: str) -> dict[str, float]:
    """Pick one figure of one kind: utt_id -> value, without missing ones."""
    values = {str(r["utt_id"]): r.get(name) for r in rows if r["kind"] == kind}
    return {k: float(v) for k, v in values.items() if isinstance(v, (int, float)) and not math.isnan(v)}


def means(rows: Sequence[Row], kinds: Iterable[str], metric: Metric) -> tuple[str, dict[str, str]]:
    """A column of a page: its heading, and for each kind mean ± standard deviation over clips (number of clips)."""
    cells = {}
    for kind in kinds:
        numbers = metric.scale * np.array(list(column(rows, kind, metric.name).values()))
        if len(numbers):
            spread = f" ± {numbers.std(ddof=1):.{metric.digits}f}" if len(numbers) > 1 else ""
            cells[kind] = f"{numbers.mean():.{metric.digits}f}{spread} ({len(numbers)})"
    return metric.heading, cells


def markdown(rows: Sequence[Row], kinds: Mapping[str, str], metrics: Iterable[Metric], more: Iterable = ()) -> str:
    """Print kinds by metrics.

    Args:
        rows: Scores.
        kinds: Kind -> its title; those without any row are left out.
        metrics: Columns; those without title or any figure are left out.
        more: Columns behind them: heading, and kind -> cell.

    Returns:
        The table; empty without any column.
    """
    shown = [kind for kind in kinds if any(row["kind"] == kind for row in rows)]
    columns = [
        (h, c) for h, c in [*(means(rows, shown, m) for m in metrics if m.title), *more] if any(map(c.get, shown))
    ]
    if not columns:
        return ""
    lines = ["| " + " | ".join(["", *(heading for heading, _ in columns)]) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += ["| " + " | ".join([kinds[k], *(cells.get(k) or "-" for _, cells in columns)]) + " |" for k in shown]
    return "\n".join(lines)
