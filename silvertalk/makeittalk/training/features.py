"""Stage 11: what the networks of a portrait are trained on, from the face dump and its sound.

``T`` are frames of sound and landmarks at 62.5 a second, ``F`` pictures at 25 a second. Picture k belongs to second
k / 25 of the sound, in training and when a portrait is drawn. Written are, by utterance,

* ``content`` (T, 80): mel in the target voice (AutoVC), not normalised; ``embedding`` (1, 256) of the speaker;
* ``landmarks`` (T, 204): 68 normalised 3D landmarks with the head's motion; ``registered`` (T, 204): the same with the
  head held still; ``pose`` (T, 7): its quaternion x y z w and translation;
* ``picture_landmarks`` (F, 204): 3D landmarks in pixels of the stored portrait; ``picture_landmarks_74`` (F, 148): x, y
  of the 74 points that the published image translation was trained on, where a 98-point detector is given;
* ``video.scp``: the portrait, square, MJPEG; ``crop`` (1, 4): the square x1 y1 x2 y2 in pixels of ``source_video.scp``;
* ``audio.scp``, ``source_start``, ``utt2spk``, ``utt2num_frames`` (T), ``utt2num_pictures`` (F), and ``utt2gaps``, the
  seconds whose landmarks are interpolated because the face was away, turned away or covered.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kaldiio
import numpy as np
from scipy.interpolate import make_interp_spline

from silvertalk.data import PartWriter, iter_scp, shard
from silvertalk.data.face_clips import USABLE
from silvertalk.data.kaldi import SortedColumn
from silvertalk.face.crop import crop_face, portrait_box
from silvertalk.face.detect.depth import landmarks_3d
from silvertalk.face.track import seconds_apart
from silvertalk.makeittalk.geometry import ANCHORS, head_pose, rigid_registration
from silvertalk.makeittalk.sound import SoundFeatures
from silvertalk.makeittalk.statistics import Statistics, mean_face_statistics, normalise_clip
from silvertalk.media import VideoWriter, read_audio, read_pictures
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.speaker import speaker_embedding
from silvertalk.media.timing import FPS, MAKEITTALK_FPS
from silvertalk.utils import atomic_path, progress

LONGEST_GAP = 0.4  # seconds; what a face does in a longer one is not guessed
SHORTEST = 1.0  # seconds of an utterance; the networks see 18 frames and what is around them
JPEG_QSCALE = 2  # as in stage 3
TARGET = "target_embedding.npy"  # beside the sets
TARGET_UTTERANCES = 20  # of a speaker, that make the target voice


@dataclass(slots=True)
class FaceUtterance:
    """One utterance of the face dump."""

    utt_id: str
    spk: str
    audio: str  # 16 kHz
    landmarks: str  # place of (F, 204) in an archive, pixels of the source
    source: str  # video or folder of pictures
    start: float  # second of it at which the utterance begins
    face_state: str | None  # place of (F,) in an archive; None: every frame is usable


def iter_utterances(face_dir: str | os.PathLike) -> Iterator[FaceUtterance]:
    """Read the tables of a face dump line by line.

    Raises:
        FileNotFoundError: A table is missing, as in a dump of pictures that show a mouth only.
    """
    face_dir = Path(face_dir)
    names = ("audio.scp", "landmarks.scp", "source_video.scp", "source_start")
    for name in names:
        if not (face_dir / name).is_file():
            raise FileNotFoundError(f"no {face_dir}/{name}; run stages 3 and 4, on footage that shows whole faces")
    columns = [SortedColumn(face_dir / name) for name in (*names, "face_state.scp")]
    for utt_id, spk in iter_scp(face_dir / "utt2spk"):
        audio, landmarks, source, start, state = (column.get(utt_id) for column in columns)
        if None in (audio, landmarks, source, start):
            raise ValueError(f"{face_dir}: the tables lack '{utt_id}'; run stages 3 and 4 again")
        yield FaceUtterance(utt_id, spk, audio, landmarks, source, float(start), state)


def dump_portraits(
    face_dir: str | os.PathLike,
    out_dir: str | os.PathLike,
    job: int,
    num_jobs: int,
    autovc: str | os.PathLike,
    portrait_size: int = 256,
    statistics: str | os.PathLike | None = None,
    awing_weights: str | os.PathLike | None = None,
) -> None:
    """Dump one job's share of a set; utterances that cannot be used are recorded as skipped.

    Args:
        face_dir: Dump of stage 4, e.g. dump/face/tr_no_dev.
        out_dir: E.g. dump/makeittalk/tr_no_dev. The target voice, chosen with the first set, lies beside it.
        job: 1-based number of the job.
        num_jobs: Number of jobs.
        autovc: Experiment folder or checkpoint of AutoVC.
        portrait_size: Side of the stored portraits (pixels).
        statistics: Those of published or other weights that will be fine-tuned: file, folder, or a copy of the
            published code. None: ``makeittalk_statistics`` computes them afterwards.
        awing_weights: Weights of the 98-point detector (WFLW_4HG.pth).
    """
    utterances = list(shard(iter_utterances(face_dir), job, num_jobs))
    if statistics is None:
        shared = mean_face_statistics(target_voice(face_dir, Path(out_dir).parent / TARGET))
    else:
        shared = Statistics.load(statistics)
    sound = SoundFeatures(autovc, shared.target_embedding)
    detector = None
    if awing_weights is not None:
        from silvertalk.face.detect.awing import AwingDetector

        detector = AwingDetector(awing_weights)
    with PartWriter(out_dir, job) as out:
        todo = [utterance for utterance in utterances if utterance.utt_id not in out.done]
        for utterance in progress(todo, desc=f"portraits {job}"):
            try:
                _dump_utterance(utterance, Path(out_dir), out, shared, sound, portrait_size, detector)
            except (RuntimeError, ValueError, FileNotFoundError) as error:
                logging.warning("skipped %s: %s", utterance.utt_id, error)
                out.skip(utterance.utt_id, str(error))


def _dump_utterance(
    utterance: FaceUtterance, out_dir: Path, out: PartWriter, shared: Statistics, sound, portrait_size: int, detector
) -> None:
    """Write everything of one utterance; raises where it cannot be used."""
    seen, usable = _read_landmarks(utterance)
    points = landmarks_3d(fill_gaps(seen, usable), FPS)
    wav, _ = read_audio(utterance.audio, SAMPLING_RATE)
    embedding = speaker_embedding(wav)
    content = sound.content(wav)
    num_frames = min(len(content), math.ceil(len(points) * MAKEITTALK_FPS / FPS))
    landmarks = resample(normalise_clip(points), num_frames)
    pose, _ = head_pose(landmarks, shared.anchor_t_shape)
    registered = rigid_registration(landmarks, shared.std_face[ANCHORS])
    box = portrait_box(points)
    on_picture = (points + [0.5, 0.5, 0] - [*box[:2], 0]) * portrait_size / (box[2] - box[0]) - [0.5, 0.5, 0]
    matrices = {
        "content": content[:num_frames],
        "embedding": embedding[None],
        "landmarks": landmarks.reshape(num_frames, -1),
        "registered": registered.reshape(num_frames, -1),
        "pose": pose,
        "picture_landmarks": on_picture.reshape(len(points), -1),
        "crop": np.array([box]),
    }
    video = (out_dir / "video" / utterance.spk / f"{utterance.utt_id}.avi").absolute()
    rest = _write_portrait(video, utterance, box, on_picture, portrait_size, detector)
    gaps = " ".join(f"{first:.2f}-{last:.2f}" for first, last in seconds_apart(~usable, FPS))
    values = {
        "video.scp": video,
        "audio.scp": utterance.audio,
        "source_video.scp": utterance.source,
        "source_start": utterance.start,
        "utt2spk": utterance.spk,
        "utt2num_frames": num_frames,
        "utt2num_pictures": len(points),
        "utt2gaps": gaps,
    }
    out.add(utterance.utt_id, {**matrices, **rest}, values)


def _read_landmarks(utterance: FaceUtterance) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (F, 68, 3) in pixels of the source, and which of them can be used: bool (F,)."""
    seen = np.asarray(kaldiio.load_mat(utterance.landmarks), np.float64).reshape(-1, 68, 3)
    if len(seen) < SHORTEST * FPS:
        raise ValueError(f"has {len(seen) / FPS:.2f} s, less than {SHORTEST} s")
    if utterance.face_state is None:
        return seen, np.ones(len(seen), bool)
    return seen, kaldiio.load_mat(utterance.face_state).ravel()[: len(seen)] == USABLE


def _write_portrait(
    path: Path, utterance: FaceUtterance, box, on_picture: np.ndarray, portrait_size: int, detector
) -> dict[str, np.ndarray]:
    """Write the pictures of one square, one after the other, and look for more landmarks where there is a detector."""
    from_98 = []
    frames = read_pictures(utterance.source, FPS, utterance.start)
    with VideoWriter(path, FPS, codec="mjpeg", quality=JPEG_QSCALE) as video:
        for frame, points in zip(itertools.islice(frames, len(on_picture)), on_picture, strict=False):
            picture = crop_face(frame, box, portrait_size)
            video.write(picture)
            if detector is not None:
                from_98.append(detector.combined(picture, points))
        if video.num_frames < len(on_picture):
            raise RuntimeError(
                f"{utterance.source}: has {video.num_frames} of {len(on_picture)} pictures; run stage 3 again"
            )
    return {"picture_landmarks_74": np.reshape(from_98, (len(from_98), -1))} if detector is not None else {}


def fill_gaps(points: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Interpolate landmarks where the face cannot be used; at the ends they are held.

    Args:
        points: (F, 68, 3).
        usable: bool (F,).

    Raises:
        ValueError: A gap is longer than ``LONGEST_GAP``.
    """
    for first, last in seconds_apart(~usable, FPS):
        if last - first > LONGEST_GAP:
            raise ValueError(
                f"the face is away, turned away or covered from {first:.2f} to {last:.2f} s, longer than {LONGEST_GAP}"
                " s; cut the footage there"
            )
    known, flat = np.flatnonzero(usable), points.reshape(len(points), -1)
    times = np.arange(len(points))
    return np.stack([np.interp(times, known, column[known]) for column in flat.T], axis=1).reshape(points.shape)


def resample(points: np.ndarray, num_frames: int) -> np.ndarray:
    """Bring landmarks from 25 to 62.5 frames a second, by cubic splines; the last is held to the end.

    Args:
        points: (F, 68, 3), F at least 4.
        num_frames: Frames wanted.

    Returns:
        (num_frames, 68, 3)
    """
    times = np.minimum(np.arange(num_frames) * FPS / MAKEITTALK_FPS, len(points) - 1)
    return make_interp_spline(np.arange(len(points)), points, k=3)(times)


def target_voice(face_dir: str | os.PathLike, path: str | os.PathLike) -> np.ndarray:
    """Choose the voice that AutoVC converts all voices to: that of the speaker with most utterances.

    The first set asked for decides (the training set); then it is read. Jobs at the same time find the same.

    Args:
        face_dir: A face dump.
        path: Where the voice is kept.

    Returns:
        float32 (256,)
    """
    if Path(path).is_file():
        return np.load(path)
    counts: dict[str, int] = {}
    for _, spk in iter_scp(Path(face_dir) / "utt2spk"):
        counts[spk] = counts.get(spk, 0) + 1
    speaker = max(counts, key=lambda spk: (counts[spk], spk))
    own = (utterance for utterance in iter_utterances(face_dir) if utterance.spk == speaker)
    wavs = (read_audio(utterance.audio, SAMPLING_RATE)[0] for utterance in itertools.islice(own, TARGET_UTTERANCES))
    voice = np.mean([speaker_embedding(wav) for wav in wavs], axis=0).astype(np.float32)
    logging.info("target voice: %s, in %s", speaker, path)
    with atomic_path(path) as temporary:
        np.save(temporary, voice)
    return voice


def shared_speakers(train_dir: str | os.PathLike, other_dir: str | os.PathLike) -> list[str]:
    """List the speakers of a set that are in the training set, too: results for them say little about others."""
    speakers = [{spk for _, spk in iter_scp(Path(folder) / "utt2spk")} for folder in (train_dir, other_dir)]
    return sorted(speakers[0] & speakers[1])
