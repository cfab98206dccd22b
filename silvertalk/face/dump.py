"""The face dump of stage 3: one utterance's face, landmarks, sound and mel at 25 fps."""

import logging
import os
from pathlib import Path

import numpy as np

from silvertalk.data import PartWriter, Utterance
from silvertalk.face.crop import crop_face
from silvertalk.face.landmarks import make_backend
from silvertalk.face.select import largest, nearest
from silvertalk.face.track import Track, track_video
from silvertalk.media import VideoWriter, read_audio, read_pictures, wav2lip_mel, write_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.utils import progress

FPS = 25
SAMPLES_PER_FRAME = SAMPLING_RATE // FPS
MIN_SOUND = 0.1  # seconds
JPEG_QSCALE = 2  # near the best of MJPEG; mouths are small, and blocks would be learnt


def dump_faces(utterances: list[Utterance], out_dir: str | os.PathLike, job: int, backend: str, face_size: int) -> None:
    """Dump the utterances of one job; those without a usable face or sound are recorded as skipped.

    Args:
        utterances: With ``video`` set.
        out_dir: The dump folder; ``parts/`` holds archives and the manifest,
            ``video/`` and ``audio/`` a file per utterance.
        job: 1-based number of the job.
        backend: Name of the face backend.
        face_size: Side of the stored face pictures (pixels).
    """
    tracker = make_backend(backend)
    with PartWriter(out_dir, job) as out:
        todo = [utterance for utterance in utterances if utterance.utt_id not in out.done]
        for utterance in progress(todo, desc=f"faces {job}"):
            try:
                _dump_utterance(utterance, Path(out_dir), out, tracker, face_size)
            except (RuntimeError, ValueError, FileNotFoundError) as error:
                logging.warning("skipped %s: %s", utterance.utt_id, error)
                out.skip(utterance.utt_id, str(error))


def _dump_utterance(utterance: Utterance, out_dir: Path, out: PartWriter, tracker, face_size: int) -> None:
    """Write everything of one utterance; raises where it cannot be used."""
    if utterance.video is None:
        raise ValueError("has no video; add it to video.scp")
    span = {"start": utterance.start, "end": utterance.end}
    wav, _ = read_audio(utterance.wav or utterance.video, SAMPLING_RATE, **span)
    if len(wav) < MIN_SOUND * SAMPLING_RATE:
        raise ValueError(f"has {len(wav) / SAMPLING_RATE:.3f} s of sound, less than {MIN_SOUND} s")
    select = nearest(utterance.face) if utterance.face else largest
    track = track_video(utterance.video, tracker, FPS, select, **span)
    wav = fit_length(wav, len(track) * SAMPLES_PER_FRAME)
    shared_name = _subfolder(utterance)
    audio_path = (out_dir / "audio" / shared_name).with_suffix(".flac").absolute()
    video_path = (out_dir / "video" / shared_name).with_suffix(".avi").absolute()
    write_audio(audio_path, wav, SAMPLING_RATE)
    _write_faces(video_path, utterance, track, face_size, span)
    out.add(
        utterance.utt_id,
        {"bbox": track.bbox, "landmarks": track.landmarks.reshape(len(track), -1), "mel": wav2lip_mel(wav).T},
        {
            "audio.scp": str(audio_path),
            "video.scp": str(video_path),
            "source_video.scp": str(Path(utterance.video).absolute()),
            "source_start": utterance.start,
            "utt2num_frames": len(track),
            "utt2detected": f"{track.detected.mean():.3f}",
            "utt2spk": utterance.spk,
            **({} if utterance.text is None else {"text": utterance.text}),
        },
    )


def _subfolder(utterance: Utterance) -> Path:
    """One folder per speaker keeps folders small."""
    return Path(utterance.spk) / f"{utterance.utt_id}.x"


def _write_faces(path: Path, utterance: Utterance, track: Track, face_size: int, span: dict) -> None:
    """Write the square face pictures, every frame on its own (MJPEG)."""
    with VideoWriter(path, FPS, codec="mjpeg", quality=JPEG_QSCALE) as out:
        for frame, bbox in zip(read_pictures(utterance.video, FPS, **span), track.bbox, strict=True):
            out.write(crop_face(frame, bbox, face_size))


def fit_length(wav: np.ndarray, length: int) -> np.ndarray:
    """Cut sound, or fill it with silence, to a number of samples."""
    return np.pad(wav[:length], (0, max(0, length - len(wav))))
