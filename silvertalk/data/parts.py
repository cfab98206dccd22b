"""Sharded, resumable output of a dump stage.

Every job writes archives and a manifest of its own; a line of the manifest is
written after the data it speaks of, so what it lists is whole. A job that was
killed cuts its archives back to the listed length and goes on behind it.
"""

import json
import os
from pathlib import Path

import kaldiio
import numpy as np

from silvertalk.data.kaldi import spk2utt, write_scp
from silvertalk.utils import remove_leftovers, write_text


def _read_manifest(path: Path) -> list[dict]:
    """Read the whole lines of a manifest; a last line cut by a kill is ignored."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


class PartWriter:
    """Output of one job.

    Args:
        out_dir: The dump folder; parts go to ``out_dir/parts``.
        job: 1-based number of the job.

    Example:
        ``with PartWriter("dump/face/org/dev", job=1) as out:``
        ``    if utt_id not in out.done: out.add(utt_id, {"bbox": bbox}, {"video.scp": path})``
    """

    def __init__(self, out_dir: str | os.PathLike, job: int):
        self.parts = Path(out_dir) / "parts"
        self.parts.mkdir(parents=True, exist_ok=True)
        self.job = job
        self.manifest = self.parts / f"part.{job}.jsonl"
        own = _read_manifest(self.manifest)
        self._cut_back(own)
        # A run with another number of jobs may have done some of our share.
        others = [e for p in self.parts.glob("part.*.jsonl") if p != self.manifest for e in _read_manifest(p)]
        self.done = {entry["utt_id"] for entry in [*own, *others]}

    def __enter__(self):
        self._file = open(self.manifest, "a", encoding="utf-8")
        return self

    def __exit__(self, *error):
        self._file.close()

    def _ark(self, name: str) -> Path:
        return self.parts / f"{name}.{self.job}.ark"

    def _cut_back(self, entries: list[dict]) -> None:
        """Remove what a killed run wrote behind the last manifest line."""
        if self.manifest.is_file():
            write_text(self.manifest, "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in entries))
        sizes: dict[str, int] = {}
        for entry in entries:
            sizes.update(entry.get("ark_sizes", {}))
        for ark in self.parts.glob(f"*.{self.job}.ark"):
            os.truncate(ark, sizes.get(ark.name, 0))

    def add(self, utt_id: str, matrices: dict[str, np.ndarray], values: dict[str, object]) -> None:
        """Record a finished utterance.

        Args:
            utt_id: Its id.
            matrices: archive name -> float matrix, e.g. ``{"mel": (T, 80)}``;
                becomes ``mel.scp``.
            values: file name -> value, e.g. ``{"utt2num_frames": 75}``.
        """
        locations, sizes = {}, {}
        for name, matrix in matrices.items():
            ark = self._ark(name)
            offset = ark.stat().st_size if ark.exists() else 0
            kaldiio.save_ark(str(ark), {utt_id: np.asarray(matrix, np.float32)}, append=True)
            locations[f"{name}.scp"] = f"{ark.absolute()}:{offset + len(utt_id.encode()) + 1}"
            sizes[ark.name] = ark.stat().st_size
        self._append({"utt_id": utt_id, "values": {**values, **locations}, "ark_sizes": sizes})

    def skip(self, utt_id: str, reason: str) -> None:
        """Record an utterance that cannot be used, and why."""
        self._append({"utt_id": utt_id, "skipped": " ".join(str(reason).split())})

    def _append(self, entry: dict) -> None:
        self._file.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")
        self._file.flush()
        self.done.add(entry["utt_id"])


def combine_parts(
    out_dir: str | os.PathLike, expected: list[str], max_skipped: float = 0.5
) -> tuple[int, dict[str, str]]:
    """Merge the jobs' parts into ``*.scp`` files and ``skipped.tsv``.

    A part that gives ``utt2spk`` and ``wav.scp`` makes this a Kaldi data
    directory (with ``spk2utt`` and ``feats_type``) of the finished utterances.

    Args:
        out_dir: The dump folder.
        expected: The utterance ids that must be there, done or skipped.
        max_skipped: Largest share of skipped utterances that is not an error.

    Returns:
        Number of finished utterances, and the skipped ones with their reasons.

    Raises:
        RuntimeError: An utterance is missing, or too many were skipped.
    """
    out_dir = Path(out_dir)
    remove_leftovers(out_dir)  # every job has ended; some may have been killed and run again
    manifests = sorted((out_dir / "parts").glob("part.*.jsonl"))
    wanted = set(expected)
    entries = {e["utt_id"]: e for p in manifests for e in _read_manifest(p) if e["utt_id"] in wanted}
    missing = sorted(wanted - set(entries))
    if missing:
        raise RuntimeError(
            f"{out_dir}: {len(missing)} utterances were not processed, the first is '{missing[0]}'; run the stage again"
        )
    skipped = {utt_id: e["skipped"] for utt_id, e in entries.items() if "skipped" in e}
    tables: dict[str, dict[str, object]] = {}
    for utt_id, entry in entries.items():
        for name, value in entry.get("values", {}).items():
            tables.setdefault(name, {})[utt_id] = value
    write_text(out_dir / "skipped.tsv", "".join(f"{k}\t{skipped[k]}\n" for k in sorted(skipped)))
    if len(skipped) > max_skipped * len(wanted):
        first = sorted(skipped)[0]
        raise RuntimeError(
            f"{out_dir}: {len(skipped)} of {len(wanted)} utterances were skipped (first: '{first}': {skipped[first]}); "
            f"see {out_dir}/skipped.tsv"
        )
    for name, table in tables.items():
        write_scp(out_dir / name, table)
    if "utt2spk" in tables:
        write_scp(out_dir / "spk2utt", spk2utt(tables["utt2spk"]))
    if "wav.scp" in tables:
        write_text(out_dir / "feats_type", "raw\n")  # what ESPnet calls a folder of sound files
    return len(entries) - len(skipped), skipped
