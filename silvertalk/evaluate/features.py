"""Networks that judge pictures, and the Fréchet distance between sets of their features.

All weights are optional. dlib's descriptor network is in a package we depend
on; those of LPIPS and FID are torchvision's, and are used where torch finds
them in its own folder (TORCH_HOME), never fetched.
"""

import importlib.util
import logging
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import torch

from silvertalk.wav2lip.losses import PerceptualDistance

EVERY = 5  # frames; neighbouring faces say the same
INCEPTION_FILES = ("inception_v3_google-0cc3c7bd.pth", "inception_v3_google-1a9a5a14.pth")
INCEPTION_SIZE = 299  # pixels
LPIPS_MIN_SIZE = 64  # pixels; AlexNet's last map has one place at less


class FaceDescriptor:
    """dlib's face recognition network (King 2017): 128 numbers of an aligned face."""

    name = "faces"

    def __init__(self):
        import dlib

        folder = Path(importlib.util.find_spec("face_recognition_models").origin).parent / "models"
        self._dlib = dlib
        self._network = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))

    def __call__(self, frame: np.ndarray, landmarks: np.ndarray, face: np.ndarray) -> np.ndarray:
        """Describe a face.

        Args:
            frame: uint8 RGB (H, W, 3).
            landmarks: (68, 2 or 3), pixels.
            face: The face's crop, uint8 RGB (S, S, 3); not used.

        Returns:
            float64 (128,).
        """
        points = [self._dlib.point(int(round(x)), int(round(y))) for x, y in landmarks[:, :2]]
        (left, top), (right, bottom) = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
        rectangle = self._dlib.rectangle(int(left), int(top), int(right), int(bottom))
        shape = self._dlib.full_object_detection(rectangle, points)
        return np.array(self._network.compute_face_descriptor(np.ascontiguousarray(frame), shape))


class InceptionFeatures:
    """Pooled features of torchvision's Inception v3 (ImageNet), 2048 numbers of a face crop.

    Args:
        state: Its state dict.
    """

    name = "inception"

    def __init__(self, state: dict):
        from torchvision.models import inception_v3

        self._network = inception_v3(weights=None, transform_input=True, init_weights=False)
        self._network.load_state_dict(state)
        self._network.fc = torch.nn.Identity()
        self._network.eval()

    def __call__(self, frame: np.ndarray, landmarks: np.ndarray, face: np.ndarray) -> np.ndarray:
        """Describe a face crop, uint8 RGB (S, S, 3): float64 (2048,); the other arguments are not used."""
        picture = cv2.resize(face, (INCEPTION_SIZE, INCEPTION_SIZE), interpolation=cv2.INTER_LINEAR)
        x = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
        mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        with torch.inference_mode():
            return self._network((x - mean) / std)[0].double().numpy()


def load_describers() -> list:
    """Load what describes faces for a Fréchet distance: dlib's network, and Inception where torch has its weights."""
    found = [FaceDescriptor()]
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = next((folder / name for name in INCEPTION_FILES if (folder / name).is_file()), None)
    if path is None:
        logging.info("no FID: torchvision's %s is not in %s", INCEPTION_FILES[0], folder)
    else:
        found.append(InceptionFeatures(torch.load(path, map_location="cpu", weights_only=True)))
    return found


class Lpips:
    """LPIPS of picture pairs (Zhang et al., CVPR 2018), by AlexNet.

    Args:
        network: Takes two float (B, 3, H, W) in [-1, 1], RGB, and gives (B, 1, 1, 1).
    """

    def __init__(self, network: torch.nn.Module):
        self._network = network

    def __call__(self, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
        """Average over pairs (generated, real), uint8 (H, W, 3) RGB of equal size; nan without any."""
        with torch.inference_mode():
            values = [float(self._network(*(self._tensor(p) for p in pair))) for pair in pairs]
        return float(np.mean(values)) if values else float("nan")

    def _tensor(self, picture: np.ndarray) -> torch.Tensor:
        side = max(LPIPS_MIN_SIZE, *picture.shape[:2])
        picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
        return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


def load_lpips() -> Lpips | None:
    """Load LPIPS; None where torch has no weights of AlexNet."""
    try:
        return Lpips(PerceptualDistance("alex").network)
    except FileNotFoundError:
        logging.info("no LPIPS: torchvision's weights of AlexNet are not in %s/checkpoints", torch.hub.get_dir())
        return None


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance of two sets of features, each taken for a normal distribution.

    Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NIPS 2017,
    equation 6. Few samples make it too large; compare sets of equal size.

    Args:
        first: (N, D).
        second: (M, D).

    Returns:
        0 or more; nan with fewer than two samples in a set.
    """
    if min(len(first), len(second)) < 2:
        return float("nan")
    means = [np.mean(x, axis=0, dtype=np.float64) for x in (first, second)]
    # Covariances are U'U and V'V; the trace of their product's root is the sum of the singular values of U V'.
    roots = [(x - m) / np.sqrt(len(x) - 1) for x, m in zip((first, second), means, strict=True)]
    roots = [np.linalg.qr(root, mode="r") if len(root) > root.shape[1] else root for root in roots]
    cross = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spread = sum(float((root**2).sum()) for root in roots)
    return max(0.0, float(((means[0] - means[1]) ** 2).sum()) + spread - 2 * float(cross))
