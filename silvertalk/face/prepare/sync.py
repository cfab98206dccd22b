"""Stage 4 for the face: remove the audio-video offset, drop what is unusable.

The offset comes of the lag curves that ``measure_offsets`` wrote (offset.py).
One clip of three seconds gives it within a frame where a sync network helps,
nearly so where mouth opening and sound energy alone are compared; the curves
of all clips of one speaker, recorded by one setup, are averaged, which gives it
to the frame.

Pictures of mouths (stage 3's ``face_input`` mouth) have no landmarks: without a
network the sound stays where it is there, and only the length is judged.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kaldiio
import numpy as np

from silvertalk.data import PartWriter, combine_parts, read_scp, subset_data_dir
from silvertalk.data.face_clips import USABLE, find_windows
from silvertalk.data.kaldi import SortedColumn
from silvertalk.face.prepare.dump import fit_length, voiced_frames
from silvertalk.face.prepare.offset import MIN_SHIFT, SCALES, LagCurves, knows_faces, read_lag_curves
from silvertalk.face.prepare.sync_plot import plot_offsets
from silvertalk.media import read_audio, wav2lip_mel, write_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.timing import SAMPLES_PER_FRAME
from silvertalk.utils import atomic_path

GROUPS = ("spk", "utt", "none")
WINDOW = 5  # frames; training takes two windows of a clip that share none
MAX_DEVIATION = 4  # frames by which a clip's own clear offset may differ from its speaker's
COLUMNS = ("utt_id", "offset", "own_offset", "confidence", "correlation", "method", "verdict", "reason")


@dataclass
class SyncLimits:
    """What is dropped."""

    min_frames: int = 20  # shorter utterances have too few windows
    min_mouth_frames: int = 10  # the same where stage 3 had pictures of mouths: single words, two windows at least
    max_frames: int = 1500  # 60 s
    min_detected: float = 0.5  # share of frames in which the face was found
    min_correlation: float = 0.0  # of mouth opening and sound after the correction; lower counts as out of sync
    min_confidence: float | None = None  # of the sync network after the correction; None: 0 expert, 0.5 SyncNet v2


@dataclass
class Verdict:
    """What stage 4 found of an utterance and did with it."""

    utt_id: str
    method: str  # correlation, expert or syncnet_v2; none where nothing was measured
    offset: int  # frames by which the sound was late, and is moved
    own_offset: int  # the same as this utterance alone says
    confidence: float  # of the network in the offset; nan without one
    correlation: float  # of mouth opening and sound in the offset; nan without landmarks
    reason: str = ""  # why it is dropped; "" where it is kept

    def row(self) -> str:
        """A line of sync.tsv."""
        what = "dropped" if self.reason else "shifted" if self.offset else "kept"
        figures = ("" if np.isnan(value) else f"{value:.3f}" for value in (self.confidence, self.correlation))
        fields = (self.utt_id, self.offset, self.own_offset, *figures, self.method, what, self.reason)
        return "\t".join(map(str, fields)) + "\n"


def sync_filter(
    org_dir: str | os.PathLike, sync_dir: str | os.PathLike, out_dir: str | os.PathLike, group: str, limits: SyncLimits
) -> dict[str, str]:
    """Write the corrected and filtered copy of one face dump.

    Args:
        org_dir: Face dump of stage 3.
        sync_dir: Its lag curves, see ``measure_offsets``.
        out_dir: Folder to write: scp files that point into ``org_dir`` where
            nothing changed, new sound, mel and voice where the sound was
            shifted, ``sync.tsv`` with what was measured and done,
            ``dropped.tsv`` with reasons, ``images/sync.png``.
        group: ``spk``: one offset per speaker; ``utt``: one per utterance
            (long or mixed recordings); ``none``: no correction.
        limits: What is dropped.

    Returns:
        The dropped utterances with their reasons.
    """
    if group not in GROUPS:
        raise ValueError(f"sync_group '{group}' is none of {', '.join(GROUPS)}")
    org_dir, out_dir = Path(org_dir), Path(out_dir)
    dropped, offsets, correlations, points = {}, {}, {}, []
    with atomic_path(out_dir / "sync.tsv") as temporary, open(temporary, "w", encoding="utf-8") as table:
        table.write("\t".join(COLUMNS) + "\n")
        for verdict in _judge(org_dir, Path(sync_dir), group, limits):
            table.write(verdict.row())
            offsets[verdict.utt_id] = verdict.offset
            correlations[verdict.utt_id] = f"{verdict.correlation:.3f}"
            quality = verdict.correlation if np.isnan(verdict.confidence) else verdict.confidence
            points.append((verdict.own_offset, quality, not verdict.reason))
            if verdict.reason:
                dropped[verdict.utt_id] = verdict.reason
    plot_offsets(np.array(points, np.float32).reshape(-1, 3), out_dir / "images" / "sync.png")
    replaced = _shift_sound(org_dir, out_dir, {u: k for u, k in offsets.items() if k and u not in dropped})
    replaced["utt2offset"] = offsets
    if (org_dir / "landmarks.scp").is_file():
        replaced["utt2sync"] = correlations
    subset_data_dir(org_dir, out_dir, dropped, replaced)
    return dropped


def _judge(org_dir: Path, sync_dir: Path, group: str, limits: SyncLimits) -> Iterator[Verdict]:
    """Decide on every utterance, in the order of the tables."""
    network = knows_faces(sync_dir)
    by_speaker = _speaker_offsets(org_dir, sync_dir, network) if group == "spk" else {}
    names = ("utt2spk", "utt2num_frames", "utt2detected", "face_state.scp", "speech.scp")
    columns = {name: SortedColumn(org_dir / name) for name in names}
    for utt_id, curves in read_lag_curves(sync_dir, network):
        entry = {name: column.get(utt_id) for name, column in columns.items()}
        own = curves.peak()
        offset = by_speaker[entry["utt2spk"]] if group == "spk" else curves.offset() if group == "utt" else 0
        method = curves.scorer if curves.scorer != "none" or curves.correlation is None else "correlation"
        figures = curves.confidence_at(offset), curves.correlation_at(offset)
        verdict = Verdict(utt_id, method, offset, own, *figures)
        verdict.reason = (
            _wrong_length(entry, curves, limits)
            or _faceless(entry, limits)
            or _silent(entry, offset)
            or _out_of_sync(verdict, curves, group, limits)
        )
        yield verdict


def _speaker_offsets(org_dir: Path, sync_dir: Path, network: bool) -> dict[str, int]:
    """Read the offset of every speaker off the sum of the curves of all clips."""
    utt2spk = SortedColumn(org_dir / "utt2spk")
    sums: dict[str, LagCurves] = {}
    for utt_id, curves in read_lag_curves(sync_dir, network):
        spk = utt2spk.get(utt_id)
        sums[spk] = sums[spk] + curves if spk in sums else curves
    return {spk: curves.offset() for spk, curves in sums.items()}


def _wrong_length(entry: dict, curves: LagCurves, limits: SyncLimits) -> str:
    """Why the number of frames is too small or too large; "" where it is not."""
    num_frames = int(entry["utt2num_frames"])
    least = limits.min_mouth_frames if curves.correlation is None else limits.min_frames
    if num_frames < least:
        return f"{num_frames} frames, fewer than {least}"
    return f"{num_frames} frames, more than {limits.max_frames}" if num_frames > limits.max_frames else ""


def _faceless(entry: dict, limits: SyncLimits) -> str:
    """Why the face is seen too rarely."""
    share = float(entry["utt2detected"] or 1)
    if share < limits.min_detected:
        return f"face found in {share:.0%} of the frames, less than {limits.min_detected:.0%}"
    return ""


def _silent(entry: dict, offset: int) -> str:
    """Why there is nothing to learn from: training takes two windows that share no frame."""
    if entry["face_state.scp"] is None or entry["speech.scp"] is None:
        return ""
    usable, voiced = (kaldiio.load_mat(entry[f"{name}.scp"]) for name in ("face_state", "speech"))
    moved = np.zeros(len(voiced), bool)
    frames = np.flatnonzero(voiced) - offset
    moved[frames[(frames >= 0) & (frames < len(moved))]] = True
    starts = find_windows(usable == USABLE, moved, WINDOW)
    if not len(starts):
        return "no window with a voice and a face"
    return "no two windows with a voice and a face" if starts[-1] - starts[0] < WINDOW else ""


def _out_of_sync(verdict: Verdict, curves: LagCurves, group: str, limits: SyncLimits) -> str:
    """Why sound and lips do not belong together, or nobody can say by how much they are apart."""
    if verdict.correlation < limits.min_correlation:
        return f"out of sync: mouth and sound correlate {verdict.correlation:.2f}, less than {limits.min_correlation}"
    if curves.similarity is None:
        return ""
    least = SCALES[curves.scorer].out_of_sync if limits.min_confidence is None else limits.min_confidence
    if verdict.confidence < least:
        return f"out of sync: confidence {verdict.confidence:.2f}, less than {least}"
    clear, apart = curves.is_clear(), abs(verdict.own_offset - verdict.offset)
    if group == "utt" and not clear and apart >= MIN_SHIFT:
        return f"out of sync: seems {verdict.own_offset} frames late, which is not sure"
    if group == "spk" and clear and apart > MAX_DEVIATION:
        return f"out of sync: {verdict.own_offset} frames late, the speaker's other clips {verdict.offset}"
    return ""


def _shift_sound(org_dir: Path, out_dir: Path, utt2offset: dict[str, int]) -> dict[str, dict[str, object]]:
    """Write sound and mel of the utterances whose sound is late (or early) by some frames."""
    if not utt2offset:
        return {}
    audio = read_scp(org_dir / "audio.scp")
    utt2spk = read_scp(org_dir / "utt2spk")
    voiced = (org_dir / "speech.scp").is_file()
    with PartWriter(out_dir, job=1) as out:
        for utt_id, offset in utt2offset.items():
            if utt_id in out.done:
                continue
            wav, rate = read_audio(audio[utt_id], SAMPLING_RATE)
            late = offset * SAMPLES_PER_FRAME
            shifted = fit_length(wav[late:] if late > 0 else np.pad(wav, (-late, 0)), len(wav))
            path = (out_dir / "audio" / utt2spk[utt_id] / f"{utt_id}.flac").absolute()
            write_audio(path, shifted, rate)
            matrices = {"mel": wav2lip_mel(shifted).T}
            if voiced:
                matrices["speech"] = voiced_frames(shifted, len(shifted) // SAMPLES_PER_FRAME)
            out.add(utt_id, matrices, {"audio.scp": str(path)})
    combine_parts(out_dir, list(utt2offset))
    names = ("audio.scp", "mel.scp", *(["speech.scp"] if voiced else []))
    return {name: read_scp(out_dir / name) for name in names}
