"""Sharded, resumable output of a dump stage.

Every job writes archives and a manifest of its own; a line of the manifest is
written after the data it speaks of, so what it lists is whole. A job that was
killed cuts its archives back to the listed length and goes on behind it.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import kaldiio
import numpy as np

from silvertalk.data.kaldi import sorted_table, write_spk2utt
from silvertalk.utils import remove_leftovers, write_text


def _read_manifest(path: Path) -> Iterator[dict]:
    """Read the whole lines of a manifest; a last line cut by a kill is ignored."""
    if path.is_file():
        with open(path, encoding="utf-8", newline="\n") as lines:
            yield from (json.loads(line) for line in lines if line.endswith("\n"))


@dataclass(frozen=True)
class Sound:
    """Sound to be kept in an archive."""

    wav: np.ndarray  # (T,) in [-1, 1]; louder samples are clipped
    rate: int  # Hz
    format: str  # flac or wav, of 16 bits


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
        self._cut_back()
        # A run with another number of jobs may have done some of our share.
        self.done = {entry["utt_id"] for path in self.parts.glob("part.*.jsonl") for entry in _read_manifest(path)}

    def __enter__(self):
        self._file = open(self.manifest, "a", encoding="utf-8")
        return self

    def __exit__(self, *error):
        self._file.close()

    def _ark(self, name: str) -> Path:
        return self.parts / f"{name}.{self.job}.ark"

    def _cut_back(self) -> None:
        """Remove what a killed run wrote behind the last whole manifest line."""
        if self.manifest.is_file():
            with open(self.manifest, "rb") as lines:
                whole = sum(len(line) for line in lines if line.endswith(b"\n"))
            os.truncate(self.manifest, whole)
        sizes: dict[str, int] = {}
        for entry in _read_manifest(self.manifest):
            sizes.update(entry.get("ark_sizes", {}))
        for ark in self.parts.glob(f"*.{self.job}.ark"):
            os.truncate(ark, sizes.get(ark.name, 0))

    def add(self, utt_id: str, matrices: dict[str, np.ndarray | Sound], values: dict[str, object]) -> None:
        """Record a finished utterance.

        Args:
            utt_id: Its id.
            matrices: archive name -> float matrix or vector, e.g. ``{"mel": (T, 80)}``, or sound;
                becomes ``mel.scp``.
            values: file name -> value, e.g. ``{"utt2num_frames": 75}``.
        """
        locations, sizes = {}, {}
        for name, matrix in matrices.items():
            ark = self._ark(name)
            offset = ark.stat().st_size if ark.exists() else 0
            if isinstance(matrix, Sound):
                # kaldiio's other way, bare WAV, is read as integers: ESPnet would hear it 32768 times as loud.
                form = {"format": matrix.format.upper(), "subtype": "PCM_16"}
                entry, how = (
                    (np.clip(matrix.wav, -1, 1), matrix.rate),
                    {"write_function": "soundfile", "write_kwargs": form},
                )
            else:
                entry, how = np.asarray(matrix, np.float32), {}
            kaldiio.save_ark(str(ark), {utt_id: entry}, append=True, **how)
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
    out_dir: str | os.PathLike, expected: Iterable[str], max_skipped: float = 0.5
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
    missing, skipped = set(expected), {}
    total = len(missing)
    with contextlib.ExitStack() as stack:
        tables: dict[str, Callable[[str, object], None]] = {}
        for manifest in sorted((out_dir / "parts").glob("part.*.jsonl")):
            for entry in _read_manifest(manifest):
                utt_id = entry["utt_id"]
                if utt_id not in missing:  # of an earlier, fuller corpus, or done by two jobs
                    continue
                missing.remove(utt_id)
                if "skipped" in entry:
                    skipped[utt_id] = entry["skipped"]
                for name, value in entry.get("values", {}).items():
                    if name not in tables:
                        tables[name] = stack.enter_context(sorted_table(out_dir / name))
                    tables[name](utt_id, value)
        if missing:
            raise RuntimeError(
                f"{out_dir}: {len(missing)} utterances were not processed, the first is '{min(missing)}'; "
                "run the stage again"
            )
        write_text(out_dir / "skipped.tsv", "".join(f"{k}\t{skipped[k]}\n" for k in sorted(skipped)))
        if len(skipped) > max_skipped * total:
            first = min(skipped)
            raise RuntimeError(
                f"{out_dir}: {len(skipped)} of {total} utterances were skipped (first: '{first}': {skipped[first]}); "
                f"see {out_dir}/skipped.tsv"
            )
    if "utt2spk" in tables:
        write_spk2utt(out_dir)
    if "wav.scp" in tables:
        write_text(out_dir / "feats_type", "raw\n")  # what ESPnet calls a folder of sound files
    return total - len(skipped), skipped
