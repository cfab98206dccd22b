"""How often a known offset between picture and sound is found, of single clips.

The sound of every clip is moved by -5 to 5 frames, the offset is measured as
stage 4 does, and compared with the shift: with the shift alone (right where the
clip was recorded in sync), and with what the unmoved clip measured plus the shift.

    python bench/offsets.py --face_dirs dump/face/eval1 dump/face/dev --sync_expert exp/syncnet_x
"""

import logging
from collections import defaultdict

import kaldiio
import numpy as np

from silvertalk.data import read_scp
from silvertalk.face.prepare.dump import fit_length
from silvertalk.face.prepare.offset import LagCurves, lag_curves
from silvertalk.media import read_audio, read_frames, wav2lip_mel
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.timing import SAMPLES_PER_FRAME
from silvertalk.syncnet.offsets import make_scorer
from silvertalk.utils import progress
from silvertalk.utils.cli import make_parser, run

SHIFTS = range(-5, 6)  # frames


def moved(wav: np.ndarray, frames: int) -> np.ndarray:
    """The sound, made late by some frames (early by negative ones)."""
    late = frames * SAMPLES_PER_FRAME
    return fit_length(np.pad(wav, (late, 0)) if late > 0 else wav[-late:], len(wav))


def measure_clip(entry: dict, max_frames: int, scorer) -> dict[int, LagCurves]:
    """Judge a clip at every shift."""
    faces = list(read_frames(entry["video"]))[:max_frames]
    wav = read_audio(entry["audio"], SAMPLING_RATE)[0][: len(faces) * SAMPLES_PER_FRAME]
    landmarks = kaldiio.load_mat(entry["landmarks"])[: len(faces)].reshape(len(faces), -1, 3)
    bbox = kaldiio.load_mat(entry["bbox"])[: len(faces)]
    curves = {}
    for shift in SHIFTS:
        sound = moved(wav, shift)
        curves[shift] = lag_curves(sound, wav2lip_mel(sound).T, landmarks, bbox, faces, scorer)
    return curves


def report(method: str, measured: dict[str, dict[int, tuple[int, bool]]]) -> None:
    """Print the shares of a method."""
    relative, absolute, clear = [], [], []
    wrong = []
    for utt_id, lags in measured.items():
        errors = [abs(lag - lags[0][0] - shift) for shift, (lag, _) in lags.items() if shift]
        relative += [error <= 1 for error in errors]
        absolute += [abs(lag - shift) <= 1 for shift, (lag, _) in lags.items()]
        clear += [is_clear for lag, is_clear in lags.values() if abs(lag) >= 2]
        if max(errors) > 1 or abs(lags[0][0]) > 1:
            wrong.append(f"{utt_id} {lags[0][0]:+d}")
    print(
        f"{method:12s} of the clip's own offset {np.mean(relative):6.1%}   of 0 {np.mean(absolute):6.1%}   "
        f"believed {np.mean(clear):6.1%}   {len(measured)} clips x {len(SHIFTS)}"
    )
    print(f"             amiss, or not at 0 unmoved: {', '.join(wrong) or 'none'}")


def bench(
    face_dirs: list[str] | None = None,
    sync_expert: str = "",
    syncnet_v2: str = "",
    max_frames: int = 75,
    min_frames: int = 50,
    device: str = "cpu",
) -> None:
    """Measure known offsets.

    Args:
        face_dirs: Face dumps of stage 3 or 4.
        sync_expert: Experiment folder of an expert, not trained on these clips.
        syncnet_v2: Without one: syncnet_v2.model, or a folder that may hold it.
        max_frames: Longer clips are cut to it; 75 are 3 s.
        min_frames: Shorter clips are left out.
        device: cpu or cuda.
    """
    logging.getLogger().setLevel(logging.WARNING)
    scorer = make_scorer(sync_expert, syncnet_v2, device)
    for face_dir in face_dirs or []:
        tables = {name: read_scp(f"{face_dir}/{name}.scp") for name in ("video", "audio", "landmarks", "bbox")}
        frames = read_scp(f"{face_dir}/utt2num_frames")
        results: dict[str, dict] = defaultdict(dict)
        for utt_id in progress([u for u in tables["video"] if int(frames[u]) >= min_frames], desc=face_dir):
            curves = measure_clip({name: table[utt_id] for name, table in tables.items()}, max_frames, scorer)
            ways = {"correlation": lambda c: LagCurves(c.correlation)}
            if scorer:
                ways |= {
                    scorer.name: lambda c: LagCurves(None, c.similarity, c.scorer),
                    "both": lambda c: c,
                }
            for method, choose in ways.items():
                picked = {shift: choose(c) for shift, c in curves.items()}
                results[method][utt_id] = {shift: (c.peak(), c.is_clear()) for shift, c in picked.items()}
        print(f"{face_dir}: offsets found to the frame before or after")
        for method, measured in results.items():
            report(method, measured)


if __name__ == "__main__":
    run(make_parser(bench), bench)
