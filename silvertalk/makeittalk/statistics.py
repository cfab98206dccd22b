"""What the networks of a portrait share beside their weights: means of the features, a standard face, a voice."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from silvertalk.data import iter_scp, read_rows
from silvertalk.face.detect.depth import mean_face
from silvertalk.makeittalk.geometry import ANCHORS
from silvertalk.utils import atomic_path

NAME = "statistics.npz"
JAW_WIDTH = 1.6  # between the landmarks 0 and 16 of a normalised face
LEAST_STD = 0.01  # of the content (1 is 100 dB); a band that hardly changes in a small corpus is not blown up
SHAPES = {
    "au_mean": (80,),
    "au_std": (80,),
    "std_face": (68, 3),
    "anchor_t_shape": (9, 3),
    "target_embedding": (256,),
}
# Files of the published code, and where they lie in it.
UPSTREAM = {
    "au_mean": "src/dataset/utils/MEAN_STD_AUTOVC_RETRAIN_MEL_AU.txt",
    "std_face": "src/dataset/utils/STD_FACE_LANDMARKS.txt",
    "anchor_t_shape": "src/dataset/utils/ANCHOR_T_SHAPE_9.txt",
    "target_embedding": "src/autovc/retrain_version/obama_emb.txt",
}


@dataclass
class Statistics:
    """Statistics of the training set; the networks trained on it are used with them.

    Normalised faces have x to the right, y down and z towards the camera, 0 in the middle of the jaw's ends across
    and down and between the outer eye corners in depth; the jaw is 1.6 wide, so the outer eyes are about 1 apart.
    """

    au_mean: np.ndarray  # (80,) mean of the content, AutoVC's mel
    au_std: np.ndarray  # (80,) and its standard deviation
    std_face: np.ndarray  # (68, 3) mean face with the head held still, normalised
    anchor_t_shape: np.ndarray  # (9, 3) its points ``geometry.ANCHORS``
    target_embedding: np.ndarray  # (256,) of the voice AutoVC converts all voices to

    def __post_init__(self):
        for name, shape in SHAPES.items():
            value = np.asarray(getattr(self, name), np.float32)
            if value.shape != shape:
                raise ValueError(f"{name} of the statistics has shape {value.shape}, not {shape}; name another file")
            if not np.isfinite(value).all():
                raise ValueError(f"{name} of the statistics holds values that are no numbers; name another file")
            setattr(self, name, value)
        if self.au_std.min() <= 0:
            raise ValueError("au_std of the statistics is not positive; name another file")

    def normalise(self, content: np.ndarray) -> np.ndarray:
        """Content (T, 80) as the networks take it: zero mean, unit variance over the training set."""
        return ((content - self.au_mean) / self.au_std).astype(np.float32)

    def save(self, path: str | os.PathLike) -> None:
        """Write an npz file, atomically."""
        with atomic_path(path) as temporary:
            np.savez(temporary, **asdict(self))

    @classmethod
    def load(cls, path: str | os.PathLike) -> Statistics:
        """Read what ``save`` wrote.

        Args:
            path: The file, or the folder (dump or experiment) it lies in; or a copy of the published code.

        Raises:
            FileNotFoundError: It is not there.
            ValueError: It is another file.
        """
        path = Path(path)
        if path.is_dir():
            if (path / UPSTREAM["std_face"]).is_file():
                return cls.from_upstream(path)
            path = path / NAME
        if not path.is_file():
            raise FileNotFoundError(f"no {path}; run stage 11, or name the folder of the published code")
        try:
            with np.load(path, allow_pickle=False) as file:
                content = {field.name: file[field.name] for field in fields(cls)}
        except (ValueError, KeyError, OSError, EOFError) as error:
            raise ValueError(f"{path}: holds no statistics of stage 11 ({error}); run it again") from error
        return cls(**content)

    @classmethod
    def from_upstream(cls, folder: str | os.PathLike) -> Statistics:
        """Read the text files of a user's copy of github.com/yzhou359/MakeItTalk.

        They are not ours to ship (CC BY-NC 4.0), and the published weights need them.

        Args:
            folder: The copy; the files may also lie in the folder itself.

        Raises:
            FileNotFoundError: A file is missing.
            ValueError: A file holds something else.
        """
        au = _read_text(folder, "au_mean", (2, 80))
        return cls(
            au_mean=au[0],
            au_std=au[1],
            **{name: _read_text(folder, name, SHAPES[name]) for name in UPSTREAM if name != "au_mean"},
        )


def _read_text(folder: str | os.PathLike, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Read numbers from one of the files of ``UPSTREAM``, in the folder or where they are published."""
    inside = Path(UPSTREAM[name])
    path = next((p for p in (Path(folder) / inside, Path(folder) / inside.name) if p.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"no {folder}/{inside}; name a complete copy of the published code")
    try:
        values = np.array(path.read_text(encoding="utf-8").replace(",", " ").split(), np.float64)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: is no file of numbers ({error}); copy it again") from error
    if values.size != np.prod(shape):
        raise ValueError(f"{path}: holds {values.size} numbers, not {np.prod(shape)} {shape}; copy it again")
    return values.reshape(shape)


def mean_face_statistics(target_embedding: np.ndarray) -> Statistics:
    """What stage 11 works with before the training set is known: the face of ``silvertalk.face.detect.depth``."""
    face = normalise_clip(mean_face()[None])[0]
    return Statistics(np.zeros(80), np.ones(80), face, face[ANCHORS], target_embedding)


def normalise_clip(points: np.ndarray) -> np.ndarray:
    """Move and scale a clip's faces, all alike, into the frame of ``Statistics``; the head keeps its motion.

    Args:
        points: (T, 68, 3), z growing towards the camera, 0 between the outer eye corners.

    Returns:
        (T, 68, 3)
    """
    # Depth is measured with it: turning the head does not make it narrower.
    jaw = points[:, 16] - points[:, 0]
    middle = (points[:, 0] + points[:, 16]).mean(axis=0) / 2
    return (points - middle * [1, 1, 0]) * (JAW_WIDTH / np.median(np.linalg.norm(jaw, axis=1)))


def compute_statistics(dump_dir: str | os.PathLike, target_embedding: np.ndarray) -> Statistics:
    """Statistics of a set of stage 11, read clip by clip.

    Args:
        dump_dir: E.g. dump/makeittalk/tr_no_dev, merged.
        target_embedding: (256,) of the voice its contents were converted to.

    Raises:
        RuntimeError: It is empty.
    """
    mean, std = _moments(_matrices(dump_dir, "content"))
    face = _moments(_matrices(dump_dir, "registered"))[0].reshape(68, 3)
    return Statistics(mean, np.maximum(std, LEAST_STD), face, face[ANCHORS], target_embedding)


def _matrices(dump_dir: str | os.PathLike, name: str) -> Iterable[np.ndarray]:
    """Read the matrices of a table one by one."""
    path = Path(dump_dir) / f"{name}.scp"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; run stage 11")
    return (read_rows(place, 0, sys.maxsize) for _, place in iter_scp(path))


def _moments(matrices: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the rows of all matrices."""
    count, total, squares = 0, 0.0, 0.0
    for matrix in matrices:
        values = matrix.astype(np.float64)
        count, total, squares = count + len(values), total + values.sum(0), squares + (values**2).sum(0)
    if not count:
        raise RuntimeError("stage 11 has no frame of the training set; look at its skipped.tsv")
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))
