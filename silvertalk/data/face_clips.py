"""Random windows of a face dump.

A corpus may have a million clips, which fill no memory: of pictures and
spectrograms a window's own are read, when it is asked for.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import kaldiio
import numpy as np

from silvertalk.data.archive import read_rows
from silvertalk.data.kaldi import read_scp
from silvertalk.media import read_window

STARTS_KEPT = 20000  # in every loader process: some 2 kB for a clip of 8 s
MASKS = ("face_state.scp", "speech.scp")
USABLE = 0  # in the archive face_state: the face is seen, and from the front; see silvertalk.face.prepare.dump


@functools.lru_cache(STARTS_KEPT)
def _window_starts(num_frames: int, count: int, face_state: str | None, speech: str | None) -> np.ndarray:
    """See ``FaceClip.window_starts``."""
    usable = np.ones(num_frames, bool) if face_state is None else kaldiio.load_mat(face_state) == USABLE
    return find_windows(usable, None if speech is None else kaldiio.load_mat(speech) > 0, count)


def find_windows(usable: np.ndarray, voiced: np.ndarray | None, count: int) -> np.ndarray:
    """List the first frames of windows one can train on.

    Args:
        usable: bool (T,); a window needs all of its frames.
        voiced: bool (T,); a window needs half of its frames. None: it needs no voice.
        count: Frames of a window.
    """
    starts = _sums(usable, count) == count
    if voiced is not None:
        starts &= 2 * _sums(voiced, count) >= count
    return np.flatnonzero(starts)


def _sums(flags: np.ndarray, count: int) -> np.ndarray:
    """How many of ``count`` flags are set, from every place on: (T - count + 1,), or none if there are too few."""
    sums = np.concatenate([[0], np.cumsum(flags)])
    return sums[count:] - sums[: max(len(sums) - count, 0)]


@dataclass(slots=True)
class FaceClip:
    """One utterance of a face dump."""

    utt_id: str
    spk: str
    video: str  # MJPEG file of square face pictures, 25 fps
    num_frames: int
    mel: np.ndarray | str  # (T_mel, 80), 80 rows a second; or where it lies in an archive, "file:offset"
    face_state: str | None = None  # where (T,) lies in an archive: 0 where the face can be used; None: everywhere
    speech: str | None = None  # where (T,) lies in an archive: 1 where somebody speaks; None: everywhere

    def window_starts(self, count: int, voiced: bool = True) -> np.ndarray:
        """List the first frames of the windows one can train on, in rising order; to be read only.

        Args:
            count: Frames of a window; all must show the face.
            voiced: Only windows during half of which at least somebody speaks.
        """
        return _window_starts(self.num_frames, count, self.face_state, self.speech if voiced else None)

    def size(self) -> int:
        """Side of the stored pictures (pixels)."""
        return read_window(self.video, 0, 1).shape[1]

    def pictures(self, first: int, count: int, img_size: int) -> np.ndarray:
        """Read faces: uint8 (count, img_size, img_size, 3), BGR."""
        pictures = read_window(self.video, first, count)
        if pictures.shape[1] != img_size:
            pictures = np.stack([cv2.resize(p, (img_size, img_size), interpolation=cv2.INTER_AREA) for p in pictures])
        return pictures

    def frames(self, first: int, count: int, img_size: int) -> np.ndarray:
        """Read faces: float32 (3, count, img_size, img_size), BGR in [0, 1], as the published networks take them."""
        pictures = self.pictures(first, count, img_size).transpose(3, 0, 1, 2)
        return np.ascontiguousarray(pictures, np.float32) / 255

    def num_mels(self) -> int:
        """Count the rows of the spectrogram."""
        return len(read_rows(self.mel, 0, None) if isinstance(self.mel, str) else self.mel)

    def mel_window(self, first: int, count: int) -> np.ndarray:
        """Cut mel columns, silence beyond the ends: float32 (1, 80, count)."""
        begin, end = max(first, 0), max(first + count, 0)
        inside = read_rows(self.mel, begin, end) if isinstance(self.mel, str) else self.mel[begin:end]
        rows = np.full((count, inside.shape[1]), -4.0, np.float32)
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
    # A dump without landmarks, or an older one, has not both.
    states, speech = (read_scp(path) if path.is_file() else {} for path in (face_dir / name for name in MASKS))
    clips = [
        FaceClip(
            utt_id, utt2spk[utt_id], video, int(frames[utt_id]), mels[utt_id], states.get(utt_id), speech.get(utt_id)
        )
        for utt_id, video in read_scp(face_dir / "video.scp").items()
        if int(frames[utt_id]) >= min_frames
    ]
    if not clips:
        raise RuntimeError(f"{face_dir}: no clip has {min_frames} frames; use longer clips")
    return clips
