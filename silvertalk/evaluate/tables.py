"""Score files: one tab-separated line per utterance and kind, with a header."""

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from silvertalk.utils import write_text

TEXT_COLUMNS = ("utt_id", "kind", "note", "text", "heard", "unknown_words")  # never numbers, whatever they look like
Row = dict[str, object]  # "utt_id" and "kind", then figures (float) and remarks (str)


def write_tsv(path: str | os.PathLike, rows: Sequence[Row], columns: Iterable[str]) -> None:
    """Write rows atomically; a missing figure is ``nan``, a missing remark empty."""
    columns = list(columns)
    lines = ["\t".join(columns)]
    lines += ["\t".join(_cell(row.get(column, "")) for column in columns) for row in rows]
    write_text(path, "\n".join(lines) + "\n")


def _cell(value: object) -> str:
    """Format one value; tabs and line ends would break the table."""
    return f"{value:.4f}" if isinstance(value, float) else " ".join(str(value).split())


def read_tsv(path: str | os.PathLike) -> list[Row]:
    """Read what ``write_tsv`` wrote; what looks like a number becomes one, except in ``TEXT_COLUMNS``."""
    header, *lines = Path(path).read_text(encoding="utf-8").splitlines()
    columns = header.split("\t")
    cells = (zip(columns, line.split("\t"), strict=True) for line in lines)
    return [{c: v if c in TEXT_COLUMNS else _number(v) for c, v in line} for line in cells]


def _number(text: str) -> object:
    """Convert to float where possible."""
    try:
        return float(text)
    except ValueError:
        return text


def column(rows: Iterable[Row], kind: str, name: str) -> dict[str, float]:
    """Pick one figure of one kind: utt_id -> value, without missing ones."""
    values = {str(r["utt_id"]): r.get(name) for r in rows if r["kind"] == kind}
    return {k: float(v) for k, v in values.items() if isinstance(v, (int, float)) and not math.isnan(v)}
