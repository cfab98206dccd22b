"""The face dump of stage 3: one utterance's face, landmarks, sound and mel at 25 fps."""

import itertools
import logging
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from silvertalk.data import PartWriter, Utterance
from silvertalk.face.crop import crop_face
from silvertalk.face.landmarks import make_backend
from silvertalk.face.select import largest, nearest
from silvertalk.face.track import Track, track_video
from silvertalk.media import VideoWriter, read_audio, read_frames, read_pictures, wav2lip_mel, write_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.picture import resize
from silvertalk.media.video import folder_pictures
from silvertalk.utils import progress

FPS = 25
SAMPLES_PER_FRAME = SAMPLING_RATE // FPS
MIN_SOUND = 0.1  # seconds
JPEG_QSCALE = 2  # near the best of MJPEG; mouths are small, and blocks would be learnt
FACE_INPUTS = ("video", "mouth")
ROWS = re.compile(r"(.+)\[(\d+):(\d+)\]")  # as in Kaldi's foo.ark:123[0:9], both ends included


def dump_faces(
    utterances: list[Utterance],
    out_dir: str | os.PathLike,
    job: int,
    backend: str,
    face_size: int,
    face_input: str = "video",
) -> None:
    """Dump the utterances of one job; those without a usable face or sound are recorded as skipped.

    Args:
        utterances: With ``video`` set.
        out_dir: The dump folder; ``parts/`` holds archives and the manifest,
            ``video/`` and ``audio/`` a file per utterance.
        job: 1-based number of the job.
        backend: Name of the face backend.
        face_size: Side of the stored face pictures (pixels).
        face_input: ``video``: the face is looked for. ``mouth``: the pictures
            show a mouth and nothing else; there are no boxes and landmarks then.
    """
    if face_input not in FACE_INPUTS:
        raise ValueError(f"face_input '{face_input}' is none of {', '.join(FACE_INPUTS)}")
    if face_input == "mouth":
        logging.info("face backend: none, the pictures are mouths")
    tracker = make_backend(backend) if face_input == "video" else None
    with PartWriter(out_dir, job) as out:
        todo = [utterance for utterance in utterances if utterance.utt_id not in out.done]
        for utterance in progress(todo, desc=f"faces {job}"):
            try:
                _dump_utterance(utterance, Path(out_dir), out, tracker, face_size)
            except (RuntimeError, ValueError, FileNotFoundError) as error:
                logging.warning("skipped %s: %s", utterance.utt_id, error)
                out.skip(utterance.utt_id, str(error))


def _dump_utterance(utterance: Utterance, out_dir: Path, out: PartWriter, tracker, face_size: int) -> None:
    """Write everything of one utterance; raises where it cannot be used. No tracker: its pictures are mouths."""
    if utterance.video is None:
        raise ValueError("has no video; add it to video.scp")
    wav, _ = read_audio(utterance.wav or utterance.video, SAMPLING_RATE, utterance.start, utterance.end)
    if len(wav) < MIN_SOUND * SAMPLING_RATE:
        raise ValueError(f"has {len(wav) / SAMPLING_RATE:.3f} s of sound, less than {MIN_SOUND} s")
    source, start, end = picture_span(utterance)
    wanted = round((end - start) * FPS) if source != utterance.video else 0
    if tracker is None:  # pictures beyond the sound say nothing of synchrony
        sounding = round(len(wav) / SAMPLES_PER_FRAME)
        faces, wanted = itertools.islice(read_mouths(source, start, end, face_size), sounding), min(wanted, sounding)
        matrices, values = {}, {}
    else:
        select = nearest(utterance.face) if utterance.face else largest
        track = track_video(source, tracker, FPS, select, start=start, end=end)
        faces = _faces(source, start, end, track, face_size)
        matrices = {"bbox": track.bbox, "landmarks": track.landmarks.reshape(len(track), -1)}
        values = {"utt2detected": f"{track.detected.mean():.3f}"}
    shared_name = _subfolder(utterance)
    audio_path = (out_dir / "audio" / shared_name).with_suffix(".flac").absolute()
    video_path = (out_dir / "video" / shared_name).with_suffix(".avi").absolute()
    num_frames = _write_faces(video_path, faces)
    if num_frames < wanted:
        raise RuntimeError(f"{utterance.video}: has {num_frames} of {wanted} pictures; correct the rows")
    wav = fit_length(wav, num_frames * SAMPLES_PER_FRAME)
    write_audio(audio_path, wav, SAMPLING_RATE)
    out.add(
        utterance.utt_id,
        {**matrices, "mel": wav2lip_mel(wav).T},
        {
            "audio.scp": str(audio_path),
            "video.scp": str(video_path),
            "source_video.scp": str(Path(source).absolute()),
            "source_start": start,
            "utt2num_frames": num_frames,
            **values,
            "utt2spk": utterance.spk,
            **({} if utterance.text is None else {"text": utterance.text}),
        },
    )


def picture_span(utterance: Utterance) -> tuple[str, float, float | None]:
    """Say where an utterance's pictures lie: in which file or folder, and from which second to which.

    Rows are pictures at 25 a second, counted from 0, both ends included.

    Example:
        ``images/a[12:37]`` are the pictures of ``images/a`` from the 13th to the 38th: 0.48 to 1.52 s.

    Raises:
        ValueError: The rows end before they begin.
    """
    match = ROWS.fullmatch(utterance.video)
    if match is None:
        return utterance.video, utterance.start, utterance.end
    first, last = int(match[2]), int(match[3])
    if last < first:
        raise ValueError(f"{utterance.video}: the rows end before they begin; correct video.scp")
    stop = (last + 1) / FPS
    end = stop if utterance.end is None else min(stop, first / FPS + utterance.end)
    return match[1], first / FPS + utterance.start, end


def _subfolder(utterance: Utterance) -> Path:
    """One folder per speaker keeps folders small."""
    return Path(utterance.spk) / f"{utterance.utt_id}.x"


def _faces(source: str, start: float, end: float | None, track: Track, face_size: int) -> Iterator[np.ndarray]:
    """Cut the face out of every frame: uint8 RGB (face_size, face_size, 3)."""
    for frame, bbox in zip(read_pictures(source, FPS, start, end), track.bbox, strict=True):
        yield crop_face(frame, bbox, face_size)


def _write_faces(path: Path, faces: Iterable[np.ndarray]) -> int:
    """Write the square face pictures, every frame on its own (MJPEG), and count them."""
    with VideoWriter(path, FPS, codec="mjpeg", quality=JPEG_QSCALE) as out:
        for face in faces:
            out.write(face)
    return out.num_frames


def read_mouths(source: str, start: float, end: float | None, face_size: int) -> Iterator[np.ndarray]:
    """Make face pictures of pictures of mouths; those of a folder may differ in size.

    Args:
        source: A video, or a folder of pictures.
        start: First second wanted.
        end: Last second wanted (exclusive); None reads to the end.
        face_size: Side of the result (pixels).

    Yields:
        uint8 RGB (face_size, face_size, 3), see ``mouth_as_face``.
    """
    if Path(source).is_dir():
        rows = folder_pictures(source)[round(start * FPS) : None if end is None else round(end * FPS)]
        pictures = (next(read_frames(picture, FPS)) for picture in rows)
    else:
        pictures = read_frames(source, FPS, start, end)
    for picture in pictures:
        yield mouth_as_face(picture, face_size)


def mouth_as_face(mouth: np.ndarray, face_size: int) -> np.ndarray:
    """Put a mouth where the sync expert, which reads the lower half of a face only, looks for it.

    Args:
        mouth: uint8 RGB (H, W, 3); what exceeds 2:1 at two opposite sides is cut off.
        face_size: Side of the result (pixels).

    Returns:
        uint8 RGB (face_size, face_size, 3), the upper half black.
    """
    height, width = mouth.shape[:2]
    rows, columns = max(1, min(height, width // 2)), max(1, min(width, 2 * height))
    top, left = (height - rows) // 2, (width - columns) // 2
    face = np.zeros((face_size, face_size, 3), np.uint8)
    half = face_size // 2
    face[half:] = resize(mouth[top : top + rows, left : left + columns], face_size, face_size - half)
    return face


def fit_length(wav: np.ndarray, length: int) -> np.ndarray:
    """Cut sound, or fill it with silence, to a number of samples."""
    return np.pad(wav[:length], (0, max(0, length - len(wav))))
