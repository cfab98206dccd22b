"""Score the videos of stage 15, resumable, one job's share at a time.

A line of ``lips.tsv`` is one clip of one kind:

- ``real``: the recording itself, the row to compare with;
- ``recorded``: its face, generated from its own sound;
- ``control``: its face, generated from another clip's sound;
- ``video``: its face, generated from the synthetic voice (nothing recorded
  belongs to it, so only the measures of sync apply).
"""

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import kaldiio
import numpy as np

from silvertalk.data import PartWriter, combine_parts, read_scp, shard
from silvertalk.evaluate import lips, sync
from silvertalk.evaluate.tables import Row, write_tsv
from silvertalk.face import NoFaceError, Track, crop_face, make_backend, track_video
from silvertalk.face.dump import fit_length
from silvertalk.face.lips import lip_opening
from silvertalk.media import read_audio, read_frames, wav2lip_mel
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.utils import progress, write_text

FPS = 25
KINDS = ("real", "recorded", "control", "video")
COLUMNS = (
    "utt_id",
    "kind",
    "frames",
    "detected",
    "lip_correlation",
    "articulation",
    "landmark_distance",
    "psnr",
    "ssim",
    "sound_correlation",
    "sound_offset",
    "confidence",
    "offset",
    "pair_accuracy",
    "length_error",
    "note",
)
STRAIGHT = 1e-3  # pixels; landmarks that all move on a line were interpolated
FACE_ERRORS = (RuntimeError, ValueError, FileNotFoundError)


@dataclass
class GeneratedVideo:
    """A video that stage 15 made, or could not make."""

    path: Path | None
    sound_utt: str  # utterance whose recording drives it
    skipped: str = ""  # why there is none


class FaceDump:
    """The recordings to compare with: a face dump's tables and archives."""

    def __init__(self, face_dir: str | os.PathLike):
        self.dir = Path(face_dir)
        if not (self.dir / "landmarks.scp").is_file():
            raise FileNotFoundError(f"no {face_dir}/landmarks.scp; run stages 3 and 4")
        self.utterances = list(read_scp(self.dir / "utt2spk"))
        self.audio, self.faces = read_scp(self.dir / "audio.scp"), read_scp(self.dir / "video.scp")
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

    def mel(self, utt_id: str) -> np.ndarray:
        """Mel spectrogram (T_mel, 80) of a recording."""
        return np.asarray(self._arks["mel"][utt_id])

    def frames(self, utt_id: str):
        """Frames of the original video at 25 fps."""
        return read_frames(self.source[utt_id], FPS, start=self.start.get(utt_id, 0.0))


def read_videos(folder: str | os.PathLike) -> dict[str, GeneratedVideo]:
    """List what stage 15 made of one kind, from ``video.scp``, ``sound`` and ``skipped.tsv``.

    Returns:
        utt_id -> video; empty when the kind was not made.
    """
    folder = Path(folder)
    if not (folder / "video.scp").is_file():
        return {}
    sounds = read_scp(folder / "sound") if (folder / "sound").is_file() else {}
    videos = {u: GeneratedVideo(Path(path), sounds.get(u, u)) for u, path in read_scp(folder / "video.scp").items()}
    skipped = folder / "skipped.tsv"
    for line in skipped.read_text(encoding="utf-8").splitlines() if skipped.is_file() else []:
        utt_id, _, reason = line.partition("\t")
        videos[utt_id] = GeneratedVideo(None, utt_id, reason)
    return videos


class LipScorer:
    """Scores one clip after the other.

    Args:
        dump: The recordings.
        expert: SyncNet in eval mode, or None to leave out its figures.
        backend: Face backend, the one stage 3 used.
        spoken: utt_id -> sound of stage 8, which drives the kind ``video``.
    """

    def __init__(self, dump: FaceDump, expert=None, backend="auto", spoken: dict[str, str] | None = None):
        self.dump, self.expert, self.spoken = dump, expert, spoken or {}
        self.backend = make_backend(backend) if isinstance(backend, str) else backend

    def real(self, utt_id: str) -> tuple[Row, dict[str, np.ndarray]]:
        """Score a recording: its figures, and its curves for the plots."""
        track, mel = self.dump.track(utt_id), self.dump.mel(utt_id)
        opening = lip_opening(track.landmarks, track.bbox)
        row, curves = self._sound_scores(opening, mel)
        row |= {"frames": float(len(opening)), "detected": float(track.detected.mean())}
        row |= {"lip_correlation": 1.0, "articulation": 1.0}
        if self.expert is not None:
            faces = np.stack([self._resize(f) for f in read_frames(self.dump.faces[utt_id], FPS)])
            audio, video = sync.embed(self.expert, faces, mel)
            row |= self._expert_scores(audio, video, curves) | {"pair_accuracy": sync.pair_accuracy(audio, video)}
        return row, curves | {"opening": opening}

    def generated(self, utt_id: str, kind: str, video: GeneratedVideo) -> tuple[Row, dict[str, np.ndarray]]:
        """Score a generated clip: its figures, and its curves for the plots."""
        if video.path is None:
            raise RuntimeError(f"stage 15 made no video: {video.skipped}")
        real = self.dump.track(utt_id)
        track = track_video(video.path, self.backend, FPS)
        mel, seconds = self._sound(utt_id, kind, video)
        opening = lip_opening(track.landmarks, track.bbox)
        row, curves = self._sound_scores(opening, mel)
        row |= {"frames": float(len(track)), "detected": float(track.detected.mean())}
        row["length_error"] = len(track) - seconds * FPS
        compared = kind != "video"
        if compared:
            row |= self._shape_scores(track, opening, real)
        faces, similarity = self._pictures(utt_id, video.path, track, real if compared else None)
        row |= similarity
        if self.expert is not None:
            row |= self._expert_scores(*sync.embed(self.expert, faces, mel), curves)
        return row, curves | {"opening": opening}

    def _sound(self, utt_id: str, kind: str, video: GeneratedVideo) -> tuple[np.ndarray, float]:
        """Mel spectrogram and length (s) of what drives a clip, from the file that drove it where there is one.

        The sound in a video is lossy, and readers that ignore the edit list
        find it late by the codec's priming; the original cannot be.
        """
        own = self.spoken if kind == "video" else self.dump.audio
        wav, _ = read_audio(own.get(video.sound_utt, video.path), SAMPLING_RATE)
        if kind == "control":  # stage 15 makes it as long as the real clip
            wav = fit_length(wav, len(read_audio(self.dump.audio[utt_id], SAMPLING_RATE)[0]))
        return wav2lip_mel(wav).T, len(wav) / SAMPLING_RATE

    def _sound_scores(self, opening: np.ndarray, mel: np.ndarray) -> tuple[Row, dict[str, np.ndarray]]:
        curve = lips.sound_lag(opening, mel)
        row = {"sound_correlation": float(curve[lips.MAX_LAG]), "sound_offset": float(np.argmax(curve) - lips.MAX_LAG)}
        return row, {"lag": curve}

    def _expert_scores(self, audio: np.ndarray, video: np.ndarray, curves: dict) -> Row:
        curves["cosine"] = sync.offset_curve(audio, video)
        confidence, offset = sync.confidence_and_offset(curves["cosine"])
        return {"confidence": confidence, "offset": float(offset)}

    def _shape_scores(self, track: Track, opening: np.ndarray, real: Track) -> Row:
        wanted = lip_opening(real.landmarks, real.bbox)
        length = min(len(track), len(real))
        seen = track.detected[:length] & real.detected[:length]
        if not seen.any():
            raise NoFaceError("no frame shows a face in both the generated and the real video")
        return {
            "lip_correlation": lips.opening_correlation(opening, wanted, seen),
            "articulation": lips.articulation(opening, wanted, seen),
            "landmark_distance": lips.landmark_distance(
                track.landmarks[:length][seen], real.landmarks[:length][seen], real.bbox[:length][seen]
            ),
        }

    def _pictures(self, utt_id: str, path: Path, track: Track, real: Track | None) -> tuple[np.ndarray, Row]:
        """Cut the expert's faces (T, S, S, 3), and compare mouths, in one pass over the frames."""
        faces, mouths = [], []
        originals = self.dump.frames(utt_id) if real is not None else iter(())
        squares = lips.mouth_squares(real.landmarks, real.bbox) if real is not None else []
        for n, (frame, bbox) in enumerate(zip(read_frames(path, FPS), track.bbox, strict=True)):
            if self.expert is not None:
                faces.append(crop_face(frame, bbox, self.expert.img_size))
            original = next(originals, None) if n < len(squares) else None
            if original is not None:
                mouths.append(_mouth_pair(frame, original, squares[n]))
        psnr, ssim = lips.picture_similarity(pair for pair in mouths if pair is not None)
        return np.array(faces), {"psnr": psnr, "ssim": ssim} if real is not None else {}

    def _resize(self, face: np.ndarray) -> np.ndarray:
        size = self.expert.img_size
        return face if len(face) == size else cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)


def _mouth_pair(generated: np.ndarray, real: np.ndarray, square: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Cut the same square out of both; None where it leaves the picture."""
    height, width = real.shape[:2]
    if generated.shape != real.shape:
        generated = cv2.resize(generated, (width, height), interpolation=cv2.INTER_AREA)
    x1, y1, x2, y2 = square
    if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        return None
    return generated[y1:y2, x1:x2], real[y1:y2, x1:x2]


def score_job(
    decode_dir: str | os.PathLike,
    dump: FaceDump,
    scorer: LipScorer,
    out_dir: str | os.PathLike,
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Score one job's clips; a clip that cannot be scored keeps its line, with a note.

    Args:
        decode_dir: Stage 15's folder of one set.
        dump: The recordings of that set.
        scorer: What scores a clip.
        out_dir: Score folder; parts go to ``out_dir/lips/parts``.
        job: 1-based number of the job.
        num_jobs: Number of jobs.
    """
    videos = {kind: read_videos(Path(decode_dir) / kind) for kind in KINDS[1:]}
    scored = [u for u in dump.utterances if any(u in listed for listed in videos.values())]
    if not scored:
        raise FileNotFoundError(f"{decode_dir}: no */video.scp lists a clip of {dump.dir}; run stage 15")
    folder = Path(out_dir) / "lips"
    write_text(folder / "expected", "".join(f"{utt_id}\n" for utt_id in scored))
    with PartWriter(folder, job) as out:
        for utt_id in progress([u for u in shard(scored, job, num_jobs) if u not in out.done], desc=f"lips {job}"):
            rows, curves = [], {}
            for kind in KINDS:
                if kind == "real":
                    row, found = _guarded(scorer.real, utt_id)
                elif utt_id in videos[kind]:
                    row, found = _guarded(scorer.generated, utt_id, kind, videos[kind][utt_id])
                else:
                    continue
                rows.append({"utt_id": utt_id, "kind": kind, **row})
                curves |= {f"{name}_{kind}": curve[:, None] for name, curve in found.items()}
            out.add(utt_id, curves, {"rows": json.dumps(rows)})


def _guarded(score, utt_id: str, *arguments) -> tuple[Row, dict[str, np.ndarray]]:
    """Score a clip; what the clip itself is to blame for becomes a note."""
    try:
        return score(utt_id, *arguments)
    except FACE_ERRORS as error:
        found = {"frames": 0.0, "detected": 0.0} if isinstance(error, NoFaceError) else {}
        logging.warning("%s: not scored: %s", utt_id, error)
        return {**found, "note": " ".join(str(error).split())}, {}


def merge_scores(score_dir: str | os.PathLike, name: str, columns) -> Path | None:
    """Merge the jobs' parts into ``score_dir/<name>.tsv``.

    Args:
        score_dir: Score folder.
        name: ``lips`` or ``voice``.
        columns: Columns of the table.

    Returns:
        The table, or None when nothing of the kind was scored.

    Raises:
        RuntimeError: A job did not finish.
    """
    folder = Path(score_dir) / name
    if not (folder / "expected").is_file():
        return None
    combine_parts(folder, (folder / "expected").read_text(encoding="utf-8").split(), max_skipped=1.0)
    rows = [row for line in read_scp(folder / "rows").values() for row in json.loads(line)]
    missing = {column: float("nan") for column in columns if column not in ("note", "text", "heard")}
    table = Path(score_dir) / f"{name}.tsv"
    write_tsv(table, [missing | row for row in rows], columns)
    return table
