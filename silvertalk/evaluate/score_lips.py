"""Score the videos of stage 15, or of any folders, resumable, one job's share at a time.

A line of ``lips.tsv`` is one clip of one kind:

- ``real``: the recording itself, the row to compare with;
- ``recorded``: its face, generated from its own sound;
- ``control``: its face, generated from another clip's sound;
- ``video``: its face, generated from the synthetic voice (nothing recorded
  belongs to it, so only the measures of sync apply);
- ``silence``: its face, generated from silence, which should rest.
"""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import kaldiio
import numpy as np

from silvertalk.data import read_scp
from silvertalk.evaluate.clip import Clip, Networks
from silvertalk.evaluate.jobs import ERRORS, note, score_share
from silvertalk.evaluate.metrics import CONTROL, REAL, SILENCE, TABLES, measure
from silvertalk.evaluate.tables import Row
from silvertalk.face import NoFaceError, Track, make_backend, track_video
from silvertalk.face.prepare.dump import fit_length
from silvertalk.media import read_audio, read_frames
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.timing import FPS

STRAIGHT = 1e-3  # pixels; landmarks that all move on a line were interpolated


@dataclass
class GeneratedVideo:
    """A video that stage 15 or another system made, or could not make."""

    path: Path | None
    sound: str | os.PathLike | None = None  # file that drives it; None for silence
    skipped: str = ""  # why there is no video
    compared: bool = True  # whether it should do what the real one does
    fitted: bool = False  # the sound was cut or filled up to the real one's length


class FaceDump:
    """The recordings to compare with: a face dump's tables and archives."""

    def __init__(self, face_dir: str | os.PathLike):
        self.dir = Path(face_dir)
        if not (self.dir / "landmarks.scp").is_file():
            raise FileNotFoundError(f"no {face_dir}/landmarks.scp; run stages 3 and 4")
        self.utterances = list(read_scp(self.dir / "utt2spk"))
        self.audio, self._faces = read_scp(self.dir / "audio.scp"), read_scp(self.dir / "video.scp")
        self.source = read_scp(self.dir / "source_video.scp")
        starts, detected = (self.dir / name for name in ("source_start", "utt2detected"))
        self.start = {k: float(v) for k, v in read_scp(starts).items()} if starts.is_file() else {}
        self.detected = read_scp(detected) if detected.is_file() else {}
        self._arks = {n: kaldiio.load_scp(str(self.dir / f"{n}.scp")) for n in ("bbox", "landmarks", "mel")}

    def track(self, utt_id: str) -> Track:
        """The face of a recording, as stage 3 found it."""
        bbox = np.asarray(self._arks["bbox"][utt_id], np.float64)
        landmarks = np.asarray(self._arks["landmarks"][utt_id], np.float64).reshape(len(bbox), 68, -1)
        return Track(bbox, landmarks, self._seen(utt_id, landmarks))

    def _seen(self, utt_id: str, landmarks: np.ndarray) -> np.ndarray:
        """Tell the frames in which the face was found (T,) from those interpolated between them."""
        seen = np.ones(len(landmarks), bool)
        if float(self.detected.get(utt_id, 1.0)) < 1 and len(landmarks) > 2:
            bend = np.abs(np.diff(landmarks, n=2, axis=0)).max(axis=(1, 2))
            seen[1:-1] = bend > STRAIGHT
            seen[0], seen[-1] = seen[1], seen[-2]
        return seen

    def recording(self, utt_id: str, networks: Networks) -> Clip:
        """Give a recording to the metrics."""
        return Clip(
            REAL,
            self.track(utt_id),
            lambda: read_frames(self.source[utt_id], FPS, start=self.start.get(utt_id, 0.0)),
            lambda: read_audio(self.audio[utt_id], SAMPLING_RATE)[0],
            networks,
            stored_mel=lambda: np.asarray(self._arks["mel"][utt_id]),
            stored_faces=lambda size: self._stored_faces(utt_id, size),
        )

    def _stored_faces(self, utt_id: str, size: int) -> np.ndarray:
        """Face crops: uint8 RGB (T, size, size, 3)."""
        if_other = {"dsize": (size, size), "interpolation": cv2.INTER_AREA}
        stored = read_frames(self._faces[utt_id], FPS)
        return np.stack([face if len(face) == size else cv2.resize(face, **if_other) for face in stored])


def read_videos(folder: str | os.PathLike, sounds: Mapping[str, str] | None = None) -> dict[str, GeneratedVideo]:
    """List what stage 15 made of one kind, from ``video.scp``, ``sound`` and ``skipped.tsv``.

    Args:
        folder: Of the kind.
        sounds: utt_id -> the file that drove it; where it is missing, the sound in the video is taken. That is
            lossy, and readers that ignore the edit list find it late by the codec's priming.

    Returns:
        utt_id -> video; empty when the kind was not made.
    """
    folder, sounds = Path(folder), sounds or {}
    if not (folder / "video.scp").is_file():
        return {}
    driving = read_scp(folder / "sound") if (folder / "sound").is_file() else {}
    videos = {
        utt_id: GeneratedVideo(Path(path), sounds.get(driving.get(utt_id, utt_id), path))
        for utt_id, path in read_scp(folder / "video.scp").items()
    }
    skipped = folder / "skipped.tsv"
    for line in skipped.read_text(encoding="utf-8").splitlines() if skipped.is_file() else []:
        utt_id, _, reason = line.partition("\t")
        videos[utt_id] = GeneratedVideo(None, skipped=reason)
    return videos


def decoded_videos(
    decode_dir: str | os.PathLike, dump: FaceDump, spoken: Mapping[str, str] | None = None
) -> dict[str, dict[str, GeneratedVideo]]:
    """List everything that stage 15 made of a set: kind -> utt_id -> video.

    Args:
        decode_dir: Its folder of the set.
        dump: The recordings.
        spoken: utt_id -> sound of stage 8, which drives the kind ``video``.

    Raises:
        FileNotFoundError: Nothing was made.
    """
    decode_dir = Path(decode_dir)
    videos = {kind: read_videos(decode_dir / kind, dump.audio) for kind in ("recorded", CONTROL)}
    videos["video"] = read_videos(decode_dir / "video", spoken)
    for video in videos[CONTROL].values():
        video.fitted = True
    for video in videos["video"].values():
        video.compared = False
    silent = sorted((decode_dir / SILENCE).glob("*.mp4"))
    videos[SILENCE] = {path.stem: GeneratedVideo(path, None, compared=False) for path in silent}
    if not any(u in listed for listed in videos.values() for u in dump.utterances):
        raise FileNotFoundError(f"{decode_dir}: no */video.scp lists a clip of {dump.dir}; run stage 15")
    return videos


class LipScorer:
    """Scores one clip after the other.

    Args:
        recordings: ``FaceDump``, or what has its ``utterances`` and ``recording``.
        networks: That score.
        backend: Face backend, the one the recordings were tracked with.
    """

    def __init__(self, recordings, networks: Networks | None = None, backend="auto"):
        self.recordings, self.networks = recordings, networks or Networks()
        self.backend = make_backend(backend) if isinstance(backend, str) else backend
        # Each system's clip is compared with it in turn.
        self.real = functools.lru_cache(maxsize=1)(lambda utt_id: recordings.recording(utt_id, self.networks))

    def generated(self, utt_id: str, kind: str, video: GeneratedVideo) -> Clip:
        """Give a generated clip to the metrics."""
        if video.path is None:
            raise RuntimeError(f"stage 15 made no video: {video.skipped}")
        real = self.real(utt_id)
        track = track_video(video.path, self.backend, FPS)
        sound = functools.partial(_driving_sound, real, video) if video.sound is not None else None
        compared = video.compared and sound is not None
        return Clip(kind, track, lambda: read_frames(video.path, FPS), sound, self.networks, real, compared)

    def score(self, utt_id: str, videos: Mapping[str, GeneratedVideo]) -> tuple[list[Row], dict[str, np.ndarray]]:
        """Score a recording and what was generated (kind -> video): rows, and curves for the plots."""
        rows, curves = [], {}
        for kind in (REAL, *videos):
            row: Row = {"utt_id": utt_id, "kind": kind}
            try:
                clip = self.real(utt_id) if kind == REAL else self.generated(utt_id, kind, videos[kind])
                figures = dict(measure(TABLES["lips"], clip))
                curves |= {f"{name}_{kind}": curve for name, curve in clip.curves().items()}
            except ERRORS as error:
                figures = {"frames": 0.0, "detected": 0.0} if isinstance(error, NoFaceError) else {}
                figures["note"] = note(utt_id, error)
            rows.append(row | figures)
        return rows, curves


def _driving_sound(real: Clip, video: GeneratedVideo) -> np.ndarray:
    """Sound (T,) that drives a clip, 16 kHz."""
    wav, _ = read_audio(video.sound, SAMPLING_RATE)
    return fit_length(wav, len(real.wav)) if video.fitted else wav


def score_job(
    videos: Mapping[str, Mapping[str, GeneratedVideo]],
    scorer: LipScorer,
    out_dir: str | os.PathLike,
    job: int = 1,
    num_jobs: int = 1,
    quiet: bool = False,
) -> None:
    """Score one job's clips; a clip that cannot be scored keeps its line, with a note.

    Args:
        videos: kind -> utt_id -> video, as from ``decoded_videos``.
        scorer: What scores a clip.
        out_dir: Score folder; parts go to ``out_dir/lips/parts``.
        job: 1-based number of the job.
        num_jobs: Number of jobs.
        quiet: Show no bar.
    """
    made = {u: {k: v[u] for k, v in videos.items() if u in v} for u in scorer.recordings.utterances}
    scored = [utt_id for utt_id, kinds in made.items() if kinds]
    score_share(Path(out_dir) / "lips", scored, lambda u: scorer.score(u, made[u]), job, num_jobs, quiet)
