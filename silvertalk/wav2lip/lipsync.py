"""Lips on a video or photo: the face in it says the given sound.

Memory does not grow with length: one pass follows the face (a few numbers per
frame are kept), a second one renders.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import soxr
import torch

from silvertalk.face import NoFaceError, Track, crop_face, make_backend, paste_face, track_frames
from silvertalk.face.dump import MIN_SOUND
from silvertalk.face.lips import lip_opening
from silvertalk.media import VideoWriter, probe, read_audio, read_frames, wav2lip_mel
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.utils import progress
from silvertalk.wav2lip.dataset import mask_lower_half
from silvertalk.wav2lip.networks import MEL_STEP_SIZE, Wav2Lip
from silvertalk.wav2lip.train import load_network
from silvertalk.wav2lip.windows import mel_start, padded_columns

# Frames read at a time when a video is played backwards.
REVERSE_CHUNK = 50
# The reference shows a nearly closed mouth, but not the extreme frame, which may be a blink of the tracker.
REFERENCE_QUANTILE = 0.1


@dataclass
class LipSyncResult:
    """What was rendered."""

    out: str  # the file
    num_frames: int
    fps: float
    seconds_without_face: float  # of the face video; there the face was taken from the frames around


class LipSync:
    """Renders talking faces with a trained generator.

    Args:
        network: The generator; put into eval mode.
        backend: Face backend, or the name of one.
        device: ``cpu`` or ``cuda``.
        batch_size: Frames generated at a time.

    Example:
        ``LipSync.from_exp("exp/wav2lip_train_wav2lip").render("me.mp4", wav, 16000, "out.mp4")``
    """

    def __init__(self, network: Wav2Lip, backend="auto", device: str = "cpu", batch_size: int = 16):
        self.network = network.to(device, memory_format=torch.channels_last).eval()
        self.backend = make_backend(backend, device) if isinstance(backend, str) else backend
        self.device, self.batch_size = device, batch_size

    @classmethod
    def from_exp(cls, exp_dir: str | os.PathLike, **options) -> "LipSync":
        """Load the generator of an experiment folder.

        Args:
            exp_dir: Folder made by stage 10.
            **options: Of the constructor.
        """
        network = load_network(exp_dir)
        if not isinstance(network, Wav2Lip):
            raise ValueError(
                f"{exp_dir} holds a {type(network).__name__}, not a Wav2Lip generator; name another folder"
            )
        return cls(network, **options)

    def sync_file(self, face: str | os.PathLike, audio: str | os.PathLike, out: str | os.PathLike) -> LipSyncResult:
        """Render a face saying the sound of a file; see ``render``."""
        wav, sampling_rate = read_audio(audio)
        return self.render(face, wav, sampling_rate, out)

    def render(
        self,
        face: str | os.PathLike,
        wav: np.ndarray,
        sampling_rate: int,
        out: str | os.PathLike,
        start: float = 0.0,
        fps: float = 25.0,
    ) -> LipSyncResult:
        """Render a face saying a sound.

        Sound longer than the video: the video runs forwards and backwards.

        Args:
            face: Video or photo.
            wav: Sound (T,) in [-1, 1].
            sampling_rate: Hz.
            out: The mp4 to write, as long as the sound.
            start: First second of the face video to use.
            fps: Frames per second of the result.

        Raises:
            NoFaceError: No face in the video.
            ValueError: Less than 0.1 s of sound.
        """
        seconds = len(wav) / sampling_rate
        if seconds < MIN_SOUND:
            raise ValueError(f"the sound lasts {seconds:.3f} s, less than {MIN_SOUND} s; give a longer one")
        num_frames = max(1, round(seconds * fps))
        track = self._track(face, num_frames, start, fps)
        windows = _mel_windows(wav, sampling_rate, num_frames, fps)
        reference = self._reference(face, track, start, fps)
        frames = zip(_back_and_forth(face, track, num_frames, start, fps), windows, strict=True)
        with VideoWriter(out, fps, wav, sampling_rate) as writer:
            for batch in _batched(progress(frames, desc=Path(out).name, total=num_frames), self.batch_size):
                for frame in self._generate(batch, reference):
                    writer.write(frame)
        missing = float((~track.detected).sum() / fps)
        if missing:
            logging.warning(
                "%s: no face found in %.2f s of it; the face was carried over from the frames around", face, missing
            )
        return LipSyncResult(str(out), num_frames, fps, missing)

    def _track(self, face, num_frames: int, start: float, fps: float) -> Track:
        """Follow the face through the part of the video that will be used."""
        try:
            return track_frames(islice(read_frames(face, fps, start), num_frames), self.backend)
        except NoFaceError as error:
            raise NoFaceError(f"{face}: {error}") from None

    def _reference(self, face, track: Track, start: float, fps: float) -> np.ndarray:
        """Choose one frame with a calm mouth for the whole video: float32 (3, S, S), BGR.

        The frame to be changed must not be its own reference: the generator
        would copy the lips it shows instead of following the sound.
        """
        opening = lip_opening(track.landmarks, track.bbox)
        seen = np.flatnonzero(track.detected)
        number = int(seen[np.argsort(opening[seen])[int(REFERENCE_QUANTILE * (len(seen) - 1))]])
        frame = next(read_frames(face, fps, start + number / fps))
        return self._to_input(crop_face(frame, track.bbox[number], self.network.img_size))

    @staticmethod
    def _to_input(picture: np.ndarray) -> np.ndarray:
        """uint8 RGB (S, S, 3) -> float32 BGR (3, S, S) in [0, 1]."""
        return picture[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 255

    @torch.inference_mode()
    def _generate(self, batch, reference: np.ndarray) -> Iterator[np.ndarray]:
        """Change the mouths of a batch of ((frame, bbox), mel window)."""
        size = self.network.img_size
        faces = np.stack([self._to_input(crop_face(frame, bbox, size)) for (frame, bbox), _ in batch])
        references = np.broadcast_to(reference, faces.shape)
        pictures = torch.from_numpy(np.concatenate([mask_lower_half(faces), references], axis=1)).to(self.device)
        mels = torch.from_numpy(np.stack([window for _, window in batch])).to(self.device)
        generated = self.network(mels, pictures).float().cpu().numpy()
        for ((frame, bbox), _), face in zip(batch, generated, strict=True):
            pixels = np.rint(face.transpose(1, 2, 0)[..., ::-1] * 255).astype(np.uint8)
            yield paste_face(frame, bbox, pixels)


def _batched(items, size: int) -> Iterator[list]:
    """Lists of up to ``size`` items."""
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch


def _mel_windows(wav: np.ndarray, sampling_rate: int, num_frames: int, fps: float) -> Iterator[np.ndarray]:
    """One mel window (1, 80, 16) per frame; silence follows the sound, so that no frame is lost."""
    mel = wav2lip_mel(wav if sampling_rate == SAMPLING_RATE else soxr.resample(wav, sampling_rate, SAMPLING_RATE))
    lacking = max(0, padded_columns(num_frames, fps) - mel.shape[1])
    mel = np.pad(mel, ((0, 0), (0, lacking)), constant_values=-4.0)
    for number in range(num_frames):
        first = mel_start(number, fps)
        yield mel[None, :, first : first + MEL_STEP_SIZE]


def _back_and_forth(
    face, track: Track, num_frames: int, start: float, fps: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (frame, bbox), turning around at both ends, so that there is never a jump."""
    given, length = 0, len(track)
    if probe(face).is_image or length == 1:
        frame = next(read_frames(face, fps, start))
        for _ in range(num_frames):
            yield frame, track.bbox[0]
        return
    while given < num_frames:
        forwards = islice(read_frames(face, fps, start), length)
        # The frame at a turn is shown once.
        for number, frame in islice(enumerate(forwards), 1 if given else 0, None):
            yield frame, track.bbox[number]
            given += 1
            if given == num_frames:
                return
        for stop in range(length - 1, 0, -REVERSE_CHUNK):
            first = max(0, stop - REVERSE_CHUNK)
            chunk = list(islice(read_frames(face, fps, start + first / fps), stop - first))
            for number in range(stop - 1, first - 1, -1):
                yield chunk[number - first], track.bbox[number]
                given += 1
                if given == num_frames:
                    return
