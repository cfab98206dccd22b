"""Stage 4 for the face: measure and remove the audio-video offset, drop what is unusable.

Before there is a sync expert, the offset is where mouth opening and sound
energy correlate most. One clip of three seconds gives that within two or three
frames; the curves of all clips of one speaker, recorded by one setup, are
averaged, which gives it to the frame.

Pictures of mouths (stage 3's ``face_input`` mouth) have no landmarks: there
the sound stays where it is, and only the length is judged.
"""

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import kaldiio
import numpy as np

from silvertalk.data import PartWriter, combine_parts, read_scp, subset_data_dir
from silvertalk.face.dump import SAMPLES_PER_FRAME, fit_length
from silvertalk.face.lips import frame_energy, lag_correlation, lip_opening
from silvertalk.media import read_audio, wav2lip_mel, write_audio
from silvertalk.media.mel import SAMPLING_RATE

MAX_LAG = 12  # frames, 0.48 s
# A shift is believed only if it is clear: speech rhythm alone gives side peaks.
MIN_SHIFT, MIN_PEAK, MIN_GAIN = 2, 0.4, 0.08


@dataclass
class SyncLimits:
    """What is dropped."""

    min_frames: int = 20  # shorter utterances have too few windows
    min_mouth_frames: int = 10  # the same where stage 3 had pictures of mouths: single words, two windows at least
    max_frames: int = 1500  # 60 s
    min_detected: float = 0.5  # share of frames in which the face was found
    min_correlation: float = 0.0  # of mouth opening and sound after the correction; lower counts as out of sync


def speaker_offset(curve: np.ndarray) -> int:
    """Choose the offset from an averaged lag curve.

    Args:
        curve: (2 * MAX_LAG + 1,) from ``lag_correlation``.

    Returns:
        Frames by which the sound is late; 0 where no shift is clear.
    """
    lag = int(np.argmax(curve)) - MAX_LAG
    clear = curve.max() >= MIN_PEAK and curve.max() - curve[MAX_LAG] >= MIN_GAIN
    at_edge = abs(lag) == MAX_LAG
    return lag if abs(lag) >= MIN_SHIFT and clear and not at_edge else 0


def sync_filter(
    org_dir: str | os.PathLike, out_dir: str | os.PathLike, group: str, limits: SyncLimits
) -> dict[str, str]:
    """Write the corrected and filtered copy of one face dump.

    Args:
        org_dir: Face dump of stage 3.
        out_dir: Folder to write: scp files that point into ``org_dir`` where
            nothing changed, new sound and mel where the sound was shifted,
            ``sync.tsv`` with what was measured, ``dropped.tsv`` with reasons.
        group: ``spk``: one offset per speaker; ``utt``: one per utterance
            (long or mixed recordings); ``none``: no correction.
        limits: What is dropped.

    Returns:
        The dropped utterances with their reasons.
    """
    if group not in ("spk", "utt", "none"):
        raise ValueError(f"sync_group '{group}' is none of spk, utt, none")
    org_dir, out_dir = Path(org_dir), Path(out_dir)
    if not (org_dir / "landmarks.scp").is_file():
        return _filter_mouths(org_dir, out_dir, limits)
    utt2spk = read_scp(org_dir / "utt2spk")
    curves = _lag_curves(org_dir)
    grouped = defaultdict(list)
    for utt_id, curve in curves.items():
        grouped[utt2spk[utt_id] if group == "spk" else utt_id].append(curve)
    offsets = {
        key: speaker_offset(np.mean(values, axis=0)) if group != "none" else 0 for key, values in grouped.items()
    }
    utt2offset = {utt_id: offsets[utt2spk[utt_id] if group == "spk" else utt_id] for utt_id in curves}
    correlation = {utt_id: float(curves[utt_id][MAX_LAG + utt2offset[utt_id]]) for utt_id in curves}
    dropped = _unusable(org_dir, correlation, limits)
    replaced = _shift_sound(org_dir, out_dir, {u: k for u, k in utt2offset.items() if k and u not in dropped})
    replaced["utt2offset"] = utt2offset
    replaced["utt2sync"] = {utt_id: f"{value:.3f}" for utt_id, value in correlation.items()}
    subset_data_dir(org_dir, out_dir, dropped, replaced)
    return dropped


def _filter_mouths(org_dir: Path, out_dir: Path, limits: SyncLimits) -> dict[str, str]:
    """Copy a dump without landmarks, less what is too short or too long."""
    frames = {utt_id: int(count) for utt_id, count in read_scp(org_dir / "utt2num_frames").items()}
    faults = {utt_id: _wrong_length(count, limits.min_mouth_frames, limits) for utt_id, count in frames.items()}
    dropped = {utt_id: fault for utt_id, fault in faults.items() if fault}
    subset_data_dir(org_dir, out_dir, dropped, {"utt2offset": dict.fromkeys(frames, 0)})
    return dropped


def _lag_curves(org_dir: Path) -> dict[str, np.ndarray]:
    """One lag curve per utterance."""
    landmarks, boxes, mels = (kaldiio.load_scp(str(org_dir / f"{n}.scp")) for n in ("landmarks", "bbox", "mel"))
    curves = {}
    for utt_id in landmarks:
        opening = lip_opening(landmarks[utt_id].reshape(-1, 68, 3), boxes[utt_id])
        curves[utt_id] = lag_correlation(opening, frame_energy(mels[utt_id], len(opening)), MAX_LAG)
    return curves


def _unusable(org_dir: Path, correlation: dict[str, float], limits: SyncLimits) -> dict[str, str]:
    """Name the utterances to drop and why."""
    frames, detected = read_scp(org_dir / "utt2num_frames"), read_scp(org_dir / "utt2detected")
    dropped = {}
    for utt_id, value in correlation.items():
        count, share = int(frames[utt_id]), float(detected[utt_id])
        if fault := _wrong_length(count, limits.min_frames, limits):
            dropped[utt_id] = fault
        elif share < limits.min_detected:
            dropped[utt_id] = f"face found in {share:.0%} of the frames, less than {limits.min_detected:.0%}"
        elif value < limits.min_correlation:
            dropped[utt_id] = f"out of sync: mouth and sound correlate {value:.2f}, less than {limits.min_correlation}"
    return dropped


def _wrong_length(num_frames: int, min_frames: int, limits: SyncLimits) -> str | None:
    """Why a number of frames is too small or too large."""
    if num_frames < min_frames:
        return f"{num_frames} frames, fewer than {min_frames}"
    if num_frames > limits.max_frames:
        return f"{num_frames} frames, more than {limits.max_frames}"
    return None


def _shift_sound(org_dir: Path, out_dir: Path, utt2offset: dict[str, int]) -> dict[str, dict[str, object]]:
    """Write sound and mel of the utterances whose sound is late (or early) by some frames."""
    if not utt2offset:
        return {}
    audio = read_scp(org_dir / "audio.scp")
    utt2spk = read_scp(org_dir / "utt2spk")
    with PartWriter(out_dir, job=1) as out:
        for utt_id, offset in utt2offset.items():
            if utt_id in out.done:
                continue
            wav, rate = read_audio(audio[utt_id], SAMPLING_RATE)
            late = offset * SAMPLES_PER_FRAME
            shifted = fit_length(wav[late:] if late > 0 else np.pad(wav, (-late, 0)), len(wav))
            path = (out_dir / "audio" / utt2spk[utt_id] / f"{utt_id}.flac").absolute()
            write_audio(path, shifted, rate)
            out.add(utt_id, {"mel": wav2lip_mel(shifted).T}, {"audio.scp": str(path)})
    combine_parts(out_dir, list(utt2offset))
    return {name: read_scp(out_dir / name) for name in ("audio.scp", "mel.scp")}
