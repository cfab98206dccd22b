"""Random windows of a face dump.

A corpus may have a million clips, whose spectrograms fill no memory: they and
the places of the pictures are read when a window is asked for, and the last
ones are kept, which are all of a small corpus.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import kaldiio
import numpy as np

from silvertalk.data.kaldi import read_scp
from silvertalk.media import index_frames, read_window

# Kept in every loader process: some 200 kB and 3 kB for a clip of 8 s.
MELS_KEPT, INDICES_KEPT = 1000, 20000


@functools.lru_cache(MELS_KEPT)
def _read_mel(place: str) -> np.ndarray:
    """Read a spectrogram (T_mel, 80) from an archive, "file:offset"."""
    return np.asarray(kaldiio.load_mat(place))


_index_frames = functools.lru_cache(INDICES_KEPT)(index_frames)


@dataclass(slots=True)
class FaceClip:
    """One utterance of a face dump."""

    utt_id: str
    spk: str
    video: str  # MJPEG file of square face pictures, 25 fps
    num_frames: int
    mel: np.ndarray | str  # (T_mel, 80), 80 rows a second; or where it lies in an archive, "file:offset"

    def frames(self, first: int, count: int, img_size: int) -> np.ndarray:
        """Read faces: float32 (3, count, img_size, img_size), BGR in [0, 1], as the published networks take them."""
        pictures = read_window(self.video, _index_frames(self.video), first, count)
        if pictures.shape[1] != img_size:
            pictures = np.stack([cv2.resize(p, (img_size, img_size), interpolation=cv2.INTER_AREA) for p in pictures])
        return np.ascontiguousarray(pictures.transpose(3, 0, 1, 2), np.float32) / 255

    def mel_window(self, first: int, count: int) -> np.ndarray:
        """Cut mel columns, silence beyond the ends: float32 (1, 80, count)."""
        mel = _read_mel(self.mel) if isinstance(self.mel, str) else self.mel
        rows = np.full((count, mel.shape[1]), -4.0, np.float32)
        inside = mel[max(first, 0) : max(first + count, 0)]
        begin = max(-first, 0)
        rows[begin : begin + len(inside)] = inside
        return rows.T[None]


def load_face_clips(face_dir: str | os.PathLike, min_frames: int) -> list[FaceClip]:
    """List the clips of a face dump that have enough frames.

    Raises:
        FileNotFoundError: The dump is not there.
        RuntimeError: No clip is long enough.
    """
    face_dir = Path(face_dir)
    if not (face_dir / "video.scp").is_file():
        raise FileNotFoundError(f"no {face_dir}/video.scp; run stages 3 and 4")
    utt2spk, frames = read_scp(face_dir / "utt2spk"), read_scp(face_dir / "utt2num_frames")
    mels = read_scp(face_dir / "mel.scp")
    clips = [
        FaceClip(utt_id, utt2spk[utt_id], video, int(frames[utt_id]), mels[utt_id])
        for utt_id, video in read_scp(face_dir / "video.scp").items()
        if int(frames[utt_id]) >= min_frames
    ]
    if not clips:
        raise RuntimeError(f"{face_dir}: no clip has {min_frames} frames; use longer clips")
    return clips
