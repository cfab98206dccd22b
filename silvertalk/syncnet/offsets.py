"""Sync networks as the scorers of stage 4: at which lag lips and sound fit best."""

import os
from collections.abc import Iterable

import numpy as np

from silvertalk.face.lips import MAX_LAG
from silvertalk.face.prepare.offset import Scorer
from silvertalk.media.picture import resize
from silvertalk.syncnet import judge as sync
from silvertalk.syncnet import syncnet_v2
from silvertalk.syncnet.checkpoint import load_checkpoint


def make_scorer(
    sync_expert: str | os.PathLike | None = None, weights: str | os.PathLike | None = None, device: str = "cpu"
) -> Scorer | None:
    """Choose the best scorer there is: our expert, else the published SyncNet, else none.

    Args:
        sync_expert: Experiment folder of stage 9.
        weights: ``syncnet_v2.model``, or a folder that may hold it.
        device: Torch device.

    Raises:
        FileNotFoundError: What was named is not there.
        ValueError: It is another network.
    """
    if sync_expert:
        return ExpertScorer(sync_expert, device)
    found = syncnet_v2.find_syncnet_v2(weights or None)
    return SyncNetV2Scorer(found, device) if found else None


class ExpertScorer:
    """Mean cosine of our own expert at every lag."""

    name = "expert"

    def __init__(self, exp_dir: str | os.PathLike, device: str = "cpu"):
        self._expert = load_checkpoint(exp_dir).to(device)

    def __call__(self, faces: Iterable[np.ndarray], wav: np.ndarray, mel: np.ndarray) -> np.ndarray:
        """See ``silvertalk.face.prepare.offset.Scorer``."""
        size = self._expert.img_size
        pictures = np.stack([resize(face, size, size) for face in faces])
        return _filled(sync.offset_curve(*sync.embed(self._expert, pictures, mel), MAX_LAG))


class SyncNetV2Scorer:
    """Mean distance of the published SyncNet at every lag, negative so that more is better."""

    name = "syncnet_v2"

    def __init__(self, weights: str | os.PathLike, device: str = "cpu"):
        self._network = syncnet_v2.load_syncnet_v2(weights, device)

    def __call__(self, faces: Iterable[np.ndarray], wav: np.ndarray, mel: np.ndarray) -> np.ndarray:
        """See ``silvertalk.face.prepare.offset.Scorer``."""
        size = syncnet_v2.IMG_SIZE
        frames = (resize(face, size, size)[..., ::-1] for face in faces)
        audio, video = syncnet_v2.embed(self._network, frames, wav)
        return _filled(-mean_distance(audio, video, MAX_LAG))


def mean_distance(audio: np.ndarray, video: np.ndarray, max_lag: int) -> np.ndarray:
    """Mean Euclidean distance at every lag, of the windows that have a partner.

    Unlike in LSE, where sound beyond the ends counts as zeros: in clips of a few
    seconds that would weigh the far lags.

    Args:
        audio: (N, D).
        video: (N, D).
        max_lag: Largest lag, frames.

    Returns:
        (2 * max_lag + 1,); nan where too few windows have a partner.
    """
    result = np.full(2 * max_lag + 1, np.nan)
    for lag in range(-max_lag, max_lag + 1):
        count = len(video) - abs(lag)
        if count >= sync.MIN_WINDOWS:
            lips, sound = video[max(0, -lag) :][:count], audio[max(0, lag) :][:count]
            result[max_lag + lag] = np.linalg.norm(lips - sound, axis=1).mean()
    return result


def _filled(curve: np.ndarray) -> np.ndarray:
    """Give lags that could not be scored the lowest value there is.

    Raises:
        ValueError: No lag could.
    """
    if np.isnan(curve).all():
        raise ValueError("the clip is too short for any lag")
    return np.where(np.isnan(curve), np.nanmin(curve), curve)
