"""The face dump of stage 3: one utterance's face, landmarks, sound and mel at 25 fps."""

import functools
import itertools
import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from silvertalk.data import PartWriter, Utterance
from silvertalk.face.crop import crop_face
from silvertalk.face.detect.landmarks import make_backend
from silvertalk.face.lips import frame_energy
from silvertalk.face.prepare.speaker import USABLE, Energy, best_part, face_state, track_speaker
from silvertalk.face.select import largest, nearest
from silvertalk.face.track import Track, track_video
from silvertalk.media import VideoWriter, read_audio, read_frames, read_pictures, wav2lip_mel, write_audio
from silvertalk.media.mel import MELS_PER_SECOND, SAMPLING_RATE
from silvertalk.media.picture import resize
from silvertalk.media.speech import speech_mask
from silvertalk.media.timing import FPS, SAMPLES_PER_FRAME
from silvertalk.media.video import folder_pictures
from silvertalk.utils import progress

MIN_SOUND = 0.1  # seconds
JPEG_QSCALE = 2  # near the best of MJPEG; mouths are small, and blocks would be learnt
FACE_INPUTS = ("video", "mouth")
FACE_SELECTS = ("speaking", "largest")
ROWS = re.compile(r"(.+)\[(\d+):(\d+)\]")  # as in Kaldi's foo.ark:123[0:9], both ends included


def dump_faces(
    utterances: list[Utterance],
    out_dir: str | os.PathLike,
    job: int,
    backend: str,
    face_size: int,
    face_input: str = "video",
    face_select: str = "speaking",
) -> None:
    """Dump the utterances of one job; those without a usable face or sound are recorded as skipped.

    A video with cuts, or with long stretches without a face, gives the part in
    which the face most surely speaks; ``utt2cut`` names the seconds left out.

    Args:
        utterances: With ``video`` set.
        out_dir: The dump folder; ``parts/`` holds archives and the manifest,
            ``video/`` and ``audio/`` a file per utterance.
        job: 1-based number of the job.
        backend: Name of the face backend.
        face_size: Side of the stored face pictures (pixels).
        face_input: ``video``: the face is looked for. ``mouth``: the pictures
            show a mouth and nothing else; there are no boxes and landmarks then.
        face_select: Which of several faces, where the corpus does not say:
            the one that is ``speaking``, or the ``largest``.
    """
    if face_select not in FACE_SELECTS:
        raise ValueError(f"face_select '{face_select}' is none of {', '.join(FACE_SELECTS)}")
    if face_input not in FACE_INPUTS:
        raise ValueError(f"face_input '{face_input}' is none of {', '.join(FACE_INPUTS)}")
    if face_input == "mouth":
        logging.info("face backend: none, the pictures are mouths")
    tracker = make_backend(backend) if face_input == "video" else None
    with PartWriter(out_dir, job) as out:
        todo = [utterance for utterance in utterances if utterance.utt_id not in out.done]
        for utterance in progress(todo, desc=f"faces {job}"):
            try:
                _dump_utterance(utterance, Path(out_dir), out, tracker, face_size, face_select)
            except (RuntimeError, ValueError, FileNotFoundError) as error:
                logging.warning("skipped %s: %s", utterance.utt_id, error)
                out.skip(utterance.utt_id, str(error))


@dataclass
class _Footage:
    """What of an utterance is dumped."""

    faces: Iterator[np.ndarray]  # uint8 RGB (S, S, 3)
    wav: np.ndarray  # 16 kHz, float (T,)
    start: float  # second of the source at which it begins
    wanted: int  # pictures there have to be; 0: as many as there are
    matrices: dict[str, np.ndarray] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


def _dump_utterance(
    utterance: Utterance, out_dir: Path, out: PartWriter, tracker, face_size: int, face_select: str
) -> None:
    """Write everything of one utterance; raises where it cannot be used. No tracker: its pictures are mouths."""
    if utterance.video is None:
        raise ValueError("has no video; add it to video.scp")
    wav, _ = read_audio(utterance.wav or utterance.video, SAMPLING_RATE, utterance.start, utterance.end)
    if len(wav) < MIN_SOUND * SAMPLING_RATE:
        raise ValueError(f"has {len(wav) / SAMPLING_RATE:.3f} s of sound, less than {MIN_SOUND} s")
    source, start, end = picture_span(utterance)
    wanted = round((end - start) * FPS) if source != utterance.video else 0
    if tracker is None:
        footage = _mouths(wav, source, start, end, wanted, face_size)
    else:
        energy = functools.cache(partial(_energy, wav))  # seldom needed: where faces or parts compete
        track = _track(utterance, energy, source, start, end, tracker, face_select)
        _check_count(utterance, len(track), wanted)
        footage = _best_of(utterance, wav, energy, source, start, end, track, face_size)
    shared_name = _subfolder(utterance)
    audio_path = (out_dir / "audio" / shared_name).with_suffix(".flac").absolute()
    video_path = (out_dir / "video" / shared_name).with_suffix(".avi").absolute()
    num_frames = _write_faces(video_path, footage.faces)
    _check_count(utterance, num_frames, footage.wanted)
    wav = fit_length(footage.wav, num_frames * SAMPLES_PER_FRAME)
    if tracker is not None:  # pictures of mouths come with a word each, too short to tell a voice from its background
        footage.matrices["speech"] = voiced_frames(wav, num_frames)
    write_audio(audio_path, wav, SAMPLING_RATE)
    out.add(
        utterance.utt_id,
        {**footage.matrices, "mel": wav2lip_mel(wav).T},
        {
            "audio.scp": str(audio_path),
            "video.scp": str(video_path),
            "source_video.scp": str(Path(source).absolute()),
            "source_start": footage.start,
            "utt2num_frames": num_frames,
            **footage.values,
            "utt2spk": utterance.spk,
            **({} if utterance.text is None else {"text": utterance.text}),
        },
    )


def _mouths(wav: np.ndarray, source: str, start: float, end: float | None, wanted: int, face_size: int) -> _Footage:
    """All pictures of mouths; those beyond the sound say nothing of synchrony."""
    sounding = round(len(wav) / SAMPLES_PER_FRAME)
    faces = itertools.islice(read_mouths(source, start, end, face_size), sounding)
    return _Footage(faces, wav, start, min(wanted, sounding))


def _track(
    utterance: Utterance, energy: Energy, source: str, start: float, end: float | None, tracker, face_select: str
) -> Track:
    """Track the face that is meant."""
    if utterance.face is None and face_select == "speaking":
        return track_speaker(source, tracker, energy, FPS, start=start, end=end)
    select = nearest(utterance.face) if utterance.face else largest
    return track_video(source, tracker, FPS, select, start=start, end=end)


def _best_of(
    utterance: Utterance,
    wav: np.ndarray,
    energy: Energy,
    source: str,
    start: float,
    end: float | None,
    track: Track,
    face_size: int,
) -> _Footage:
    """The part of a video in which the face most surely speaks; see ``best_part``."""
    part = best_part(track, energy, FPS)
    state = face_state(track)[part]
    cut = [(first, last) for first, last in ((0, part.start), (part.stop, len(track))) if first < last]
    if cut:
        logging.info("%s: uses frames %d to %d of %d", utterance.utt_id, part.start, part.stop, len(track))
    return _Footage(
        itertools.islice(_faces(source, start, end, track, face_size), part.start, part.stop),
        wav[part.start * SAMPLES_PER_FRAME : part.stop * SAMPLES_PER_FRAME],
        round(start + part.start / FPS, 6),
        part.stop - part.start,
        {
            "bbox": track.bbox[part],
            "landmarks": track.landmarks[part].reshape(len(state), -1),
            "face_state": state,
        },
        {
            "utt2detected": f"{track.detected[part].mean():.3f}",
            "utt2usable": f"{(state == USABLE).mean():.3f}",
            "utt2cut": " ".join(f"{first / FPS:.2f}-{last / FPS:.2f}" for first, last in cut),
        },
    )


def _energy(wav: np.ndarray) -> np.ndarray:
    """Loudness during every frame."""
    return frame_energy(wav2lip_mel(wav).T, len(wav) // SAMPLES_PER_FRAME)


def _check_count(utterance: Utterance, num_frames: int, wanted: int) -> None:
    """Raise where a picture folder holds fewer pictures than its rows say."""
    if num_frames < wanted:
        raise RuntimeError(f"{utterance.video}: has {num_frames} of {wanted} pictures; correct the rows")


def voiced_frames(wav: np.ndarray, num_frames: int) -> np.ndarray:
    """Say during which video frames somebody speaks (at least half of the time): uint8 (num_frames,) of 0 and 1."""
    speech = np.concatenate([[0], np.cumsum(speech_mask(wav, SAMPLING_RATE))])
    edges = np.minimum((np.arange(num_frames + 1) * MELS_PER_SECOND / FPS).astype(int), len(speech) - 1)
    return (2 * np.diff(speech[edges]) >= np.maximum(np.diff(edges), 1)).astype(np.uint8)


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
