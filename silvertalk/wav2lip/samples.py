"""Pictures of a training: what the generator makes of faces it was not trained on."""

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from silvertalk.data import read_scp
from silvertalk.data.face_clips import FaceClip
from silvertalk.media import VideoWriter, read_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.timing import FPS
from silvertalk.syncnet.windows import MEL_STEP_SIZE, mask_lower_half, mel_start
from silvertalk.utils import atomic_path

ROWS = "masked, reference, generated, target"


def save_collage(path: Path, batch: dict[str, torch.Tensor], generated: torch.Tensor, board, epoch: int) -> None:
    """Save rows of input, reference, result and target: the first frames of up to four samples.

    Args:
        path: PNG to write.
        batch: Of ``Wav2LipDataset``, scaled to [0, 1].
        generated: (B, 3, T, H, W) in [0, 1].
        board: Writer of TensorBoard.
        epoch: Number of the epoch, from 0.
    """
    rows = [batch["face"][:4, :3, 0], batch["face"][:4, 3:, 0], generated[:4, :, 0], batch["target"][:4, :, 0]]
    picture = torch.cat([torch.cat(list(row.float().cpu()), dim=2) for row in rows], dim=1)
    pixels = _to_bytes(picture).permute(1, 2, 0).numpy()
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), pixels)
    board.add_image(ROWS, np.ascontiguousarray(pixels[..., ::-1]), epoch, dataformats="HWC")


def _to_bytes(pictures: torch.Tensor) -> torch.Tensor:
    """[0, 1] to uint8."""
    return (pictures.clamp(0, 1) * 255).round().byte()


@dataclass
class Preview:
    """A clip whose mouth is generated after every epoch, under the real one."""

    clip: FaceClip
    audio: str | None  # sound file of the clip; None: a silent video
    img_size: int

    SECONDS = 3
    BATCH = 16  # frames
    SCALE = 2

    @classmethod
    def from_dump(cls, face_dir: str, clips: list[FaceClip], img_size: int) -> "Preview":
        """Take the first clip of a face dump."""
        audio = Path(face_dir) / "audio.scp"
        return cls(clips[0], read_scp(audio)[clips[0].utt_id] if audio.is_file() else None, img_size)

    @torch.no_grad()
    def render(self, generator: torch.nn.Module, device) -> np.ndarray:
        """Generate the lower halves: uint8 RGB (T, 2 * S/2, S, 3), the real one above the generated one."""
        count = min(self.clip.num_frames, int(self.SECONDS * FPS))
        real = self.clip.frames(0, count, self.img_size)
        reference = self.clip.frames(count // 2, 1, self.img_size)
        results = []
        for first in range(0, count, self.BATCH):
            batch = real[:, first : first + self.BATCH]
            last = first + batch.shape[1]
            face = np.concatenate([mask_lower_half(batch), np.broadcast_to(reference, batch.shape)])
            mels = [self.clip.mel_window(mel_start(n), MEL_STEP_SIZE) for n in range(first, last)]
            face, mel = torch.from_numpy(face).transpose(0, 1), torch.from_numpy(np.stack(mels))
            results.append(generator(mel.to(device), face.to(device)).float().cpu())
        half = self.img_size // 2
        generated = _to_bytes(torch.cat(results))[:, :, half:]
        filmed = _to_bytes(torch.from_numpy(real).transpose(0, 1))[:, :, half:]
        return torch.cat([filmed, generated], dim=2).permute(0, 2, 3, 1).numpy()[..., ::-1]

    def save(self, path: Path, generator: torch.nn.Module, device, board, epoch: int) -> None:
        """Save the video with its sound, and show it in TensorBoard, where it is silent."""
        frames = self.render(generator, device)
        frames = np.ascontiguousarray(frames.repeat(self.SCALE, axis=1).repeat(self.SCALE, axis=2))
        wav = None if self.audio is None else read_audio(self.audio, SAMPLING_RATE, 0, len(frames) / FPS)[0]
        with VideoWriter(path, FPS, wav, SAMPLING_RATE) as out:
            for frame in frames:
                out.write(frame)
        _add_animation(board, "mouth: real above generated", frames, epoch)


def _add_animation(board, tag: str, frames: np.ndarray, epoch: int) -> None:
    """Write frames to TensorBoard as an animated picture (its own ``add_video`` needs one more package)."""
    from PIL import Image
    from tensorboard.compat.proto.summary_pb2 import Summary

    pictures = [Image.fromarray(frame) for frame in frames[::2]]
    data = io.BytesIO()
    pictures[0].save(data, "gif", save_all=True, append_images=pictures[1:], duration=int(2 * 1000 / FPS), loop=0)
    height, width = frames.shape[1:3]
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=data.getvalue())
    board.file_writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), epoch)
