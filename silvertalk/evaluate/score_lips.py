"""Score the videos of stage 15, or of any folders, resumable, one job's share at a time.

A line of ``lips.tsv`` is one clip of one kind:

- ``real``: the recording itself, the row to compare with;
- ``recorded``: its face, generated from its own sound;
- ``control``: its face, generated from another clip's sound;
- ``video``: its face, generated from the synthetic voice (nothing recorded
  belongs to it, so only the measures of sync apply);
- ``silence``: its face, generated from silence, which should rest.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import kaldiio
import numpy as np

from silvertalk.data import PartWriter, combine_parts, read_scp, shard
from silvertalk.evaluate import features, lips, lse
from silvertalk.evaluate.tables import TEXT_COLUMNS, Row, write_tsv
from silvertalk.face import NoFaceError, Track, crop_face, make_backend, track_video
from silvertalk.face.lips import lip_opening
from silvertalk.face.prepare.dump import fit_length
from silvertalk.media import read_audio, read_frames, wav2lip_mel
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.syncnet import judge as sync
from silvertalk.utils import progress, write_text

FPS = 25
REAL, SILENCE = "real", "silence"
KINDS = (REAL, "recorded", "control", "video", SILENCE)
COLUMNS = (
    "utt_id",
    "kind",
    "frames",
    "detected",
    "lip_correlation",
    "correlation_spread",
    "articulation",
    "landmark_distance",
    "psnr",
    "ssim",
    "sharpness",
    "lpips",
    "silence_motion",
    "sound_correlation",
    "sound_offset",
    "distance",
    "distance_spread",
    "confidence",
    "offset",
    "pair_accuracy",
    "lse_d",
    "lse_c",
    "lse_offset",
    "lse_spread",
    "length_error",
    "note",
)
STRAIGHT = 1e-3  # pixels; landmarks that all move on a line were interpolated
FACE_ERRORS = (RuntimeError, ValueError, FileNotFoundError)


@dataclass
class GeneratedVideo:
    """A video that stage 15 or another system made, or could not make."""

    path: Path | None
    sound: str | os.PathLike | None = None  # file that drives it; None for silence
    skipped: str = ""  # why there is no video
    compared: bool = True  # whether it should do what the real one does
    fitted: bool = False  # the sound was cut or filled up to the real one's length


@dataclass
class Judges:
    """The networks that score; what is missing leaves out its figures."""

    expert: object = None  # our ``SyncNet``, in eval mode
    syncnet_v2: object = None  # the published ``SyncNetV2``, in eval mode
    lse_crop: str = "face"  # see ``lse.CROPS``
    lpips: object = None  # ``features.Lpips``
    describers: list = field(default_factory=list)  # of faces, for Fréchet distances

    @classmethod
    def load(
        cls,
        syncnet_exp: str | os.PathLike | None = None,
        syncnet_v2: str | os.PathLike | None = None,
        lse_crop: str = "face",
        device: str = "cpu",
    ) -> "Judges":
        """Load what there is, and say what is left out.

        Args:
            syncnet_exp: Folder of our trained expert.
            syncnet_v2: File of the published metric network, or a folder that may hold it.
            lse_crop: ``face`` or ``frame``.
            device: Torch device of the two.

        Raises:
            FileNotFoundError: A file that was named is not there.
            ValueError: Weights of another network, or an unknown crop.
        """
        from silvertalk.syncnet.checkpoint import load_checkpoint
        from silvertalk.syncnet.syncnet_v2 import find_syncnet_v2, load_syncnet_v2

        if lse_crop not in lse.CROPS:
            raise ValueError(f"lse_crop '{lse_crop}' is none of {', '.join(lse.CROPS)}")
        expert = load_checkpoint(syncnet_exp).to(device) if syncnet_exp else None
        if expert is None:
            logging.warning("no --syncnet_exp: the expert's distance, confidence and offset are left out")
        weights = find_syncnet_v2(syncnet_v2)
        if weights is None:
            logging.warning(
                "no --syncnet_v2: LSE-D and LSE-C are left out; they need syncnet_v2.model, whose address is in "
                "download_model.sh of github.com/joonson/syncnet_python"
            )
        network = load_syncnet_v2(weights, device) if weights else None
        return cls(expert, network, lse_crop, features.load_lpips(), features.load_describers())


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

    def mel(self, utt_id: str) -> np.ndarray:
        """Mel spectrogram (T_mel, 80) of a recording."""
        return np.asarray(self._arks["mel"][utt_id])

    def wav(self, utt_id: str) -> np.ndarray:
        """Sound of a recording, 16 kHz."""
        return read_audio(self.audio[utt_id], SAMPLING_RATE)[0]

    def frames(self, utt_id: str) -> Iterator[np.ndarray]:
        """Frames of the original video at 25 fps: uint8 RGB (H, W, 3)."""
        return read_frames(self.source[utt_id], FPS, start=self.start.get(utt_id, 0.0))

    def faces(self, utt_id: str, size: int) -> np.ndarray:
        """Face crops: uint8 RGB (T, size, size, 3)."""
        stored = read_frames(self._faces[utt_id], FPS)
        if_other = {"dsize": (size, size), "interpolation": cv2.INTER_AREA}
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
    videos = {kind: read_videos(decode_dir / kind, dump.audio) for kind in ("recorded", "control")}
    videos["video"] = read_videos(decode_dir / "video", spoken)
    for video in videos["control"].values():
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
        dump: The recordings: ``FaceDump``, or what has its methods.
        judges: Networks that score.
        backend: Face backend, the one the recordings were tracked with.
    """

    def __init__(self, dump, judges: Judges | None = None, backend="auto"):
        self.dump, self.judges = dump, judges or Judges()
        self.backend = make_backend(backend) if isinstance(backend, str) else backend

    def real(self, utt_id: str) -> tuple[Row, dict[str, np.ndarray]]:
        """Score a recording: its figures, and its curves for the plots."""
        track, mel, wav = self.dump.track(utt_id), self.dump.mel(utt_id), self.dump.wav(utt_id)
        opening = lip_opening(track.landmarks, track.bbox)
        row, curves = self._sound_scores(opening, opening, mel, wav)
        row |= {"frames": float(len(opening)), "detected": float(track.detected.mean())}
        row |= {"lip_correlation": 1.0, "correlation_spread": 0.0, "articulation": 1.0, "sharpness": 1.0}
        if self.judges.expert is not None:
            audio, video = sync.embed(self.judges.expert, self.dump.faces(utt_id, self.judges.expert.img_size), mel)
            row |= self._expert_scores(audio, video, curves) | {"pair_accuracy": sync.pair_accuracy(audio, video)}
        row |= self._lse_scores(lambda: self.dump.frames(utt_id), track, wav, curves)
        return row, curves | self._descriptions(self.dump.frames(utt_id), track) | {"opening": opening}

    def generated(self, utt_id: str, video: GeneratedVideo) -> tuple[Row, dict[str, np.ndarray]]:
        """Score a generated clip: its figures, and its curves for the plots."""
        if video.path is None:
            raise RuntimeError(f"stage 15 made no video: {video.skipped}")
        real = self.dump.track(utt_id)
        spoken = lip_opening(real.landmarks, real.bbox)
        track = track_video(video.path, self.backend, FPS)
        opening = lip_opening(track.landmarks, track.bbox)
        row = {"frames": float(len(track)), "detected": float(track.detected.mean())}
        if video.sound is None:
            at_rest = np.ones(len(opening), bool)
            return row | {"silence_motion": lips.silence_motion(opening, at_rest, spoken)}, {}
        wav = self._sound(utt_id, video)
        mel = wav2lip_mel(wav).T
        figures, curves = self._sound_scores(opening, spoken, mel, wav)
        row |= figures | {"length_error": len(track) - len(wav) / SAMPLING_RATE * FPS}
        if video.compared:
            row |= self._shape_scores(track, opening, real)
        faces, similarity = self._pictures(utt_id, video.path, track, real if video.compared else None)
        row |= similarity
        if self.judges.expert is not None:
            row |= self._expert_scores(*sync.embed(self.judges.expert, faces, mel), curves)
        row |= self._lse_scores(lambda: read_frames(video.path, FPS), track, wav, curves)
        curves |= self._descriptions(read_frames(video.path, FPS), track)
        return row, curves | {"opening": opening}

    def _sound(self, utt_id: str, video: GeneratedVideo) -> np.ndarray:
        """Sound (T,) that drives a clip, 16 kHz."""
        wav, _ = read_audio(video.sound, SAMPLING_RATE)
        return fit_length(wav, len(self.dump.wav(utt_id))) if video.fitted else wav

    def _sound_scores(
        self, opening: np.ndarray, spoken: np.ndarray, mel: np.ndarray, wav: np.ndarray
    ) -> tuple[Row, dict[str, np.ndarray]]:
        """Compare a lip opening with the sound; ``spoken`` is the real one."""
        curve = lips.sound_lag(opening, mel)
        row = {"sound_correlation": float(curve[lips.MAX_LAG]), "sound_offset": float(np.argmax(curve) - lips.MAX_LAG)}
        silent = lips.silent_frames(wav, len(opening))
        return row | {"silence_motion": lips.silence_motion(opening, silent, spoken)}, {"lag": curve}

    def _expert_scores(self, audio: np.ndarray, video: np.ndarray, curves: dict) -> Row:
        curves["cosine"], curves["lips"] = sync.offset_curve(audio, video), video[:: features.EVERY]
        return sync.expert_scores(audio, video)

    def _lse_scores(self, frames, track: Track, wav: np.ndarray, curves: dict) -> Row:
        """LSE of the pictures that ``frames()`` reads."""
        if self.judges.syncnet_v2 is None:
            return {}
        bbox = track.bbox if self.judges.lse_crop == "face" else None
        row, curves["lse"] = lse.lse_scores(self.judges.syncnet_v2, frames(), bbox, wav)
        return row

    def _descriptions(self, frames, track: Track) -> dict[str, np.ndarray]:
        """Describe every fifth face: name of the describer -> (N, D)."""
        found = {describer.name: [] for describer in self.judges.describers}
        for n, (frame, bbox) in enumerate(zip(frames, track.bbox, strict=False) if found else ()):
            if n % features.EVERY == 0 and track.detected[n]:
                face = crop_face(frame, bbox, features.INCEPTION_SIZE)
                for describer in self.judges.describers:
                    found[describer.name].append(describer(frame, track.landmarks[n], face))
        return {name: np.stack(values) for name, values in found.items() if values}

    def _shape_scores(self, track: Track, opening: np.ndarray, real: Track) -> Row:
        wanted = lip_opening(real.landmarks, real.bbox)
        length = min(len(track), len(real))
        seen = track.detected[:length] & real.detected[:length]
        if not seen.any():
            raise NoFaceError("no frame shows a face in both the generated and the real video")
        return {
            "lip_correlation": lips.opening_correlation(opening, wanted, seen),
            "correlation_spread": lips.correlation_spread(opening, wanted, seen),
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
            if self.judges.expert is not None:
                faces.append(crop_face(frame, bbox, self.judges.expert.img_size))
            original = next(originals, None) if n < len(squares) else None
            if original is not None:
                mouths.append(_mouth_pair(frame, original, squares[n]))
        if real is None:
            return np.array(faces), {}
        pairs = [pair for pair in mouths if pair is not None]
        psnr, ssim = lips.picture_similarity(pairs)
        row = {"psnr": psnr, "ssim": ssim, "sharpness": lips.sharpness(pairs)}
        if self.judges.lpips is not None:
            row["lpips"] = self.judges.lpips(pairs[:: features.EVERY])
        return np.array(faces), row


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
    scored = [u for u in scorer.dump.utterances if any(u in listed for listed in videos.values())]
    folder = Path(out_dir) / "lips"
    write_text(folder / "expected", "".join(f"{utt_id}\n" for utt_id in scored))
    with PartWriter(folder, job) as out:
        todo = [u for u in shard(scored, job, num_jobs) if u not in out.done]
        for utt_id in todo if quiet else progress(todo, desc=f"lips {job}"):
            rows, curves = [], {}
            for kind in (REAL, *videos):
                if kind != REAL and utt_id not in videos[kind]:
                    continue
                score = (scorer.real, utt_id) if kind == REAL else (scorer.generated, utt_id, videos[kind][utt_id])
                row, found = _guarded(*score)
                rows.append({"utt_id": utt_id, "kind": kind, **row})
                curves |= {
                    f"{name}_{kind}": curve[:, None] if curve.ndim == 1 else curve for name, curve in found.items()
                }
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
    missing = {column: float("nan") for column in columns if column not in TEXT_COLUMNS}
    table = Path(score_dir) / f"{name}.tsv"
    write_tsv(table, [missing | row for row in rows], columns)
    return table
