"""By how many frames the sound is late, of one clip or of many of one recording setup.

Two curves over the lag say it: the correlation of mouth opening and sound
energy, which needs nothing that was trained, and the mean similarity of lips
and sound in the eyes of a sync network. The network knows consonants, the
correlation is smooth and without prejudice; where both are there, they are
added. A network that does not know the faces (an expert that was trained on
others) is nearly as flat as unsure: it then weighs little, and where that is
so for most clips, stage 4 leaves it out.

Chosen on 20 held-out clips of GRID of 3 s (bench/offsets.py): of shifts by up
to 5 frames the correlation finds 96 % to the frame before or after, the sum
all. The network's windows are not weighted by speech or by movement, and not
placed between two frames: neither helped.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import kaldiio
import numpy as np

from silvertalk.data import PartWriter, iter_scp, shard
from silvertalk.data.kaldi import SortedColumn
from silvertalk.face.lips import MAX_LAG, frame_energy, lag_correlation, lip_opening
from silvertalk.media import read_audio, read_frames
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.utils import progress

# A shift is believed only if it is clear: speech rhythm alone gives side peaks.
MIN_SHIFT = 2  # frames; less is within the error of the measurement
MIN_PEAK, MIN_GAIN = 0.4, 0.08  # of the correlation alone


@dataclass(frozen=True)
class Scale:
    """What the figures of a sync network mean."""

    correlation: float  # what a correlation of 1 is worth
    believed: float  # confidence from which on its offset is believed
    out_of_sync: float  # confidence below which a clip counts as out of sync
    min_gain: float  # by how much a shift must be better than none


# Cosines of an expert; distances of the published SyncNet, where clips in sync have a confidence of 3 and more.
SCALES = {"expert": Scale(0.25, 0.1, 0.0, 0.03), "syncnet_v2": Scale(4.0, 1.5, 0.5, 0.5)}


class Scorer(Protocol):
    """A sync network."""

    name: str  # expert or syncnet_v2

    def __call__(self, faces: Iterable[np.ndarray], wav: np.ndarray, mel: np.ndarray) -> np.ndarray:
        """Judge a clip at every lag.

        Args:
            faces: uint8 RGB (S, S, 3) at 25 fps.
            wav: 16 kHz sound, float (T,).
            mel: (T_mel, 80), 80 rows a second.

        Returns:
            (2 * MAX_LAG + 1,), higher is better; entry ``MAX_LAG + k`` pairs the lips of frame t with the sound of
            frame t + k.

        Raises:
            ValueError: The clip is too short.
        """


@dataclass
class LagCurves:
    """What is known of a clip, or the sum of many, at lags of -MAX_LAG to MAX_LAG frames."""

    correlation: np.ndarray | None = None  # of mouth opening and sound energy; None without landmarks
    similarity: np.ndarray | None = None  # of lips and sound, to a network; None without one
    scorer: str = "none"  # name of the network
    count: int = 1  # clips added up

    def __add__(self, other: "LagCurves") -> "LagCurves":
        def added(a, b):
            return None if a is None or b is None else a + b

        correlation, similarity = added(self.correlation, other.correlation), added(self.similarity, other.similarity)
        return LagCurves(correlation, similarity, self.scorer, self.count + other.count)

    def joined(self) -> np.ndarray | None:
        """One curve of both, in units of the network's if there is one; None where nothing is known."""
        if self.similarity is None or self.correlation is None:
            only = self.correlation if self.similarity is None else self.similarity
            return None if only is None else only / self.count
        return (self.similarity + SCALES[self.scorer].correlation * self.correlation) / self.count

    def peak(self) -> int:
        """Frames by which the sound is most probably late."""
        curve = self.joined()
        return 0 if curve is None else int(np.argmax(curve)) - MAX_LAG

    def correlation_at(self, lag: int) -> float:
        """Correlation of mouth opening and sound energy at a lag; nan without landmarks."""
        return float("nan") if self.correlation is None else float(self.correlation[MAX_LAG + lag] / self.count)

    def confidence_at(self, lag: int) -> float:
        """How much the similarity at a lag exceeds its median, as in LSE-C; nan without a network."""
        if self.similarity is None:
            return float("nan")
        return float((self.similarity[MAX_LAG + lag] - np.median(self.similarity)) / self.count)

    def is_clear(self) -> bool:
        """Whether the peak can be believed; the largest lag is no peak."""
        lag, curve = self.peak(), self.joined()
        if curve is None or abs(lag) == MAX_LAG:
            return False
        gain = curve[MAX_LAG + lag] - curve[MAX_LAG]
        if self.similarity is None:
            return bool(curve.max() >= MIN_PEAK and gain >= MIN_GAIN)
        scale = SCALES[self.scorer]
        return self.confidence_at(lag) >= scale.believed and bool(gain >= scale.min_gain)

    def offset(self) -> int:
        """Frames by which the sound is late; 0 where no shift is clear."""
        lag = self.peak()
        return lag if abs(lag) >= MIN_SHIFT and self.is_clear() else 0


def lag_curves(
    wav: np.ndarray,
    mel: np.ndarray,
    landmarks: np.ndarray | None = None,
    bbox: np.ndarray | None = None,
    faces: Iterable[np.ndarray] = (),
    scorer: Scorer | None = None,
) -> LagCurves:
    """Judge a clip at every lag.

    Args:
        wav: 16 kHz sound, float (T,).
        mel: (T_mel, 80), 80 rows a second.
        landmarks: (T, 68, 3), pixels; None: there is no correlation.
        bbox: (T, 4) from ``stable_boxes``.
        faces: uint8 RGB (S, S, 3), T of them, which the scorer reads.
        scorer: A sync network; None: there is no similarity.
    """
    curves = LagCurves(scorer=scorer.name if scorer else "none")
    if landmarks is not None:
        opening = lip_opening(landmarks, bbox)
        curves.correlation = lag_correlation(opening, frame_energy(mel, len(opening)), MAX_LAG)
    if scorer is not None:
        try:
            curves.similarity = np.asarray(scorer(faces, wav, mel), np.float64)
        except ValueError:  # too short, which stage 4 drops for its length
            curves.similarity = np.zeros(2 * MAX_LAG + 1)
    return curves


def measure_offsets(
    face_dir: str | os.PathLike,
    out_dir: str | os.PathLike,
    scorer: Scorer | None = None,
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Write the lag curves of one job's share of a face dump.

    Args:
        face_dir: Face dump of stage 3.
        out_dir: Folder whose ``parts/`` get the archives ``lag_correlation``
            and ``lag_similarity`` and the table ``utt2scorer``.
        scorer: A sync network.
        job: 1-based number of the job.
        num_jobs: Number of jobs.
    """
    face_dir = Path(face_dir)
    columns = {name: SortedColumn(face_dir / f"{name}.scp") for name in ("audio", "mel", "landmarks", "bbox")}
    with PartWriter(out_dir, job) as out:
        for utt_id, video in progress(shard(iter_scp(face_dir / "video.scp"), job, num_jobs), desc=f"sync {job}"):
            places = {name: column.get(utt_id) for name, column in columns.items()}
            if utt_id in out.done:
                continue
            wav, _ = read_audio(places.pop("audio"), SAMPLING_RATE)
            mel, landmarks, bbox = (None if place is None else kaldiio.load_mat(place) for place in places.values())
            if landmarks is not None:
                landmarks = landmarks.reshape(len(landmarks), -1, 3)
            curves = lag_curves(wav, mel, landmarks, bbox, read_frames(video) if scorer else (), scorer)
            given = {"lag_correlation": curves.correlation, "lag_similarity": curves.similarity}
            matrices = {name: curve for name, curve in given.items() if curve is not None}
            out.add(utt_id, matrices, {"utt2scorer": curves.scorer})


def read_lag_curves(sync_dir: str | os.PathLike, network: bool = True) -> Iterator[tuple[str, LagCurves]]:
    """Read what ``measure_offsets`` wrote, merged: utterance and curves.

    Args:
        sync_dir: The folder.
        network: Read the similarity too, where there is one.

    Raises:
        FileNotFoundError: It is not there.
    """
    sync_dir = Path(sync_dir)
    if not (sync_dir / "utt2scorer").is_file():
        raise FileNotFoundError(f"no {sync_dir}/utt2scorer; run stage 4")
    names = ("correlation", "similarity") if network else ("correlation",)
    columns = [SortedColumn(sync_dir / f"lag_{name}.scp") for name in names]
    for utt_id, scorer in iter_scp(sync_dir / "utt2scorer"):
        places = (column.get(utt_id) for column in columns)
        curves = LagCurves(*(None if place is None else kaldiio.load_mat(place) for place in places))
        if network:
            curves.scorer = scorer
        yield utt_id, curves


def knows_faces(sync_dir: str | os.PathLike) -> bool:
    """Whether the network that judged a set is sure of most of its clips; says so where it is not."""
    confidences, scorer = [], "none"
    for _, curves in read_lag_curves(sync_dir):
        if curves.similarity is not None:
            scorer = curves.scorer
            confidences.append(curves.similarity.max() - np.median(curves.similarity))
    if not confidences or np.median(confidences) >= SCALES[scorer].believed:
        return bool(confidences)
    logging.warning(
        "%s: the %s is not sure of these faces (median confidence %.3f, less than %.1f), so only mouth opening and "
        "sound energy are compared; train it on speakers like these",
        sync_dir,
        scorer,
        np.median(confidences),
        SCALES[scorer].believed,
    )
    return False
