"""Restore the detail of a face with a published network, if its weights are there.

GFPGAN (Wang et al., "Towards Real-World Blind Face Restoration with Generative
Facial Prior", CVPR 2021), RestoreFormer (Wang et al., CVPR 2022) and CodeFormer
(Zhou et al., "Towards Robust Blind Face Restoration with Codebook Lookup
Transformer", NeurIPS 2022), through the library spandrel. None of their
weights comes with this package. ResShift is not among spandrel's networks.

These networks know faces as FFHQ shows them: upright, 512 pixels, eyes and
mouth at fixed places. So a face is turned into that template, restored there,
and put back.
"""

import fnmatch
import functools
import importlib.util
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SIZE = 512  # pixels, side of the template
# Where the published restoration tools put the five points for FFHQ faces: x, y in template pixels.
TEMPLATE = np.array(
    [
        [192.98138, 239.94708],  # eye on the left of the picture
        [318.90277, 240.1936],  # eye on the right
        [256.63416, 314.01935],  # tip of the nose
        [201.26117, 371.41043],  # corner of the mouth on the left
        [313.08905, 371.15118],  # on the right
    ]
)
RIM = 32  # template pixels over which the restored face fades into the given one
OUTSIDE = (132, 133, 135)  # RGB of template pixels that the picture does not show; the published tools use it too
SUFFIXES = (".pth", ".ckpt", ".safetensors")

# GFPGAN and CodeFormer take and give -1 to 1 and return (picture, ...). spandrel's descriptors of the two hand their
# input on as it is and cut the result at 0, so the networks behind them are called instead.
SIGNED = {
    # The stored noise: fresh noise in every frame would make skin and hair flicker.
    "GFPGAN": {"return_rgb": False, "randomize_noise": False},
    # Fidelity 0 to 1; its authors' example for video. Lower invents more, and with it another mouth.
    "CodeFormer": {"weight": 0.7},
}


@dataclass(frozen=True)
class Network:
    """A published face-restoration network."""

    name: str
    patterns: tuple[str, ...]  # of file names in lower case, the preferred ones first
    example: str  # a file name as published
    source: str  # GitHub project that publishes the weights
    licence: str


# In the order in which "auto" takes them: the steadiest in video first, the non-commercial one last.
NETWORKS = (
    Network(
        name="gfpgan",
        patterns=("gfpganv1.4*", "gfpganv1.3*", "gfpgan*"),
        example="GFPGANv1.4.pth",
        source="TencentARC/GFPGAN releases",
        licence="Apache 2.0",
    ),
    Network(
        name="restoreformer",
        patterns=("restoreformer*",),
        example="RestoreFormer.pth",
        source="wzhouxiff/RestoreFormer, this file in TencentARC/GFPGAN releases",
        licence="none stated by its authors",
    ),
    Network(
        name="codeformer",
        patterns=("codeformer*",),
        example="codeformer.pth",
        source="sczhou/CodeFormer releases",
        licence="S-Lab 1.0, non-commercial only",
    ),
)
# sczhou/CodeFormer also publishes networks for other tasks under names that fit the pattern.
OTHER_TASKS = ("inpainting", "colorization")


class Enhancer:
    """Restores faces; see ``make_enhancer``."""

    def __init__(self, network: Callable, blend: float = 1.0, device: str = "cpu", name: str = ""):
        """Wrap a network.

        Args:
            network: Torch float32 (1, 3, 512, 512) to (1, 3, H, W), RGB, 0 to 1.
            blend: Share of the restored face, 0 to 1; the rest is the given one.
            device: Torch device of the network.
            name: For messages.

        Raises:
            ValueError: ``blend`` outside 0 to 1.
        """
        if not 0 <= blend <= 1:
            raise ValueError(f"enhancer blend {blend} is not in [0, 1]; 0 keeps the face, 1 shows the restored one")
        self.blend = blend
        self.name = name
        self._network = network
        self._device = device

    def __call__(self, face: np.ndarray) -> np.ndarray:
        """Restore a face that already lies as in the template.

        Args:
            face: uint8 RGB (S, S, 3).

        Returns:
            uint8 RGB (512, 512, 3), or the network's own size.
        """
        _check_picture(face)
        restored = self._run(_resize(face, SIZE, SIZE))
        given = _resize(face, restored.shape[1], restored.shape[0])
        return _to_uint8(given + np.float32(self.blend) * (restored - given))

    def restore(self, face: np.ndarray, landmarks: np.ndarray, aspect: float = 1.0) -> np.ndarray:
        """Restore a face where it lies in a picture.

        Args:
            face: uint8 RGB (H, W, 3); not changed.
            landmarks: (68, 2 or 3), pixels of that picture.
            aspect: Height over width of the box of the frame that the picture, if
                it is square, was cut from; 1 for a picture that is not squeezed.

        Returns:
            uint8 RGB (H, W, 3); what lies outside the template is as given.

        Raises:
            ValueError: Not such a picture, or landmarks without extent.
        """
        _check_picture(face)
        matrix = align_for_restoration(landmarks, aspect)
        if self.blend == 0:
            return face.copy()
        restored = _resize(self._run(to_template(face, matrix)), SIZE, SIZE)
        back, mask = from_template(restored, matrix, face.shape[:2])
        return _to_uint8(face + np.float32(self.blend) * mask[..., None] * (back - face))

    def _run(self, face: np.ndarray) -> np.ndarray:
        """Run the network: uint8 (512, 512, 3) to float32 (H, W, 3), 0-255."""
        import torch

        x = torch.from_numpy(np.ascontiguousarray(face.transpose(2, 0, 1)))[None].to(self._device)
        with torch.inference_mode():
            y = self._network(x.float() / 255).clamp(0, 1)
        return 255 * y[0].permute(1, 2, 0).float().cpu().numpy()


def make_enhancer(
    weights_dir: str | os.PathLike | None, name: str = "auto", blend: float = 1.0, device: str = "cpu"
) -> Enhancer:
    """Load a face-restoration network.

    Args:
        weights_dir: Folder with the weights, at any depth; None: there is none.
        name: ``gfpgan``, ``restoreformer``, ``codeformer``, ``auto`` (the first
            of these whose weights are there), or the name of a file in the
            folder, for any network of spandrel's that restores pictures.
        blend: Share of the restored face, 0 to 1.
        device: Torch device.

    Returns:
        The network, ready to be called.

    Raises:
        FileNotFoundError: No such weights.
        ValueError: Unknown name, a blend out of range, or a file that cannot be
            loaded or holds another kind of network.
    """
    path = find_weights(weights_dir, name)
    return Enhancer(load_network(path, device), blend, device, path.name)


def find_weights(weights_dir: str | os.PathLike | None, name: str = "auto") -> Path:
    """Find the weights of a face-restoration network.

    Args:
        weights_dir: Folder, searched at any depth.
        name: As in ``make_enhancer``.

    Returns:
        Path of the file.

    Raises:
        FileNotFoundError: None there.
        ValueError: Unknown name.
    """
    paths = sorted(Path(weights_dir).rglob("*")) if weights_dir else []
    files = [path for path in paths if path.suffix.lower() in SUFFIXES and path.is_file()]
    if Path(name).suffix.lower() in SUFFIXES:
        found = [path for path in files if name in (path.name, str(path.relative_to(weights_dir)))]
        wanted = NETWORKS
    else:
        wanted = [network for network in NETWORKS if name in ("auto", network.name)]
        if not wanted:
            known = ", ".join(network.name for network in NETWORKS)
            raise ValueError(f"unknown enhancer '{name}'; choose auto, {known} or the name of a weights file")
        found = [path for network in wanted for path in _files_of(network, files)]
    if not found:
        raise FileNotFoundError(_nothing_found(weights_dir, name, wanted))
    return found[0]


def _files_of(network: Network, files: list[Path]) -> list[Path]:
    """Files whose names fit a network, the preferred ones first."""
    names = {path: path.name.lower() for path in files}
    fitting = [path for pattern in network.patterns for path in files if fnmatch.fnmatch(names[path], pattern)]
    return [path for path in fitting if not any(task in names[path] for task in OTHER_TASKS)]


def _nothing_found(folder: str | os.PathLike | None, name: str, wanted: Iterable[Network]) -> str:
    """Say what was looked for, where it comes from, and what works without it."""
    if not folder:
        where = "no folder with weights is named"
    elif not Path(folder).is_dir():
        where = f"{folder} is no folder"
    else:
        where = f"{folder} holds no {name}" if Path(name).suffix else f"{folder} holds none of them"
    sources = "; ".join(f"{n.example} (any {n.name}*; GitHub: {n.source}; licence: {n.licence})" for n in wanted)
    return (
        f"no weights of a face-restoration network: {where}. Put one of these into a folder and name it: {sources}; "
        f"endings {', '.join(SUFFIXES)}. Quality 'improved' works without them"
    )


def load_network(path: Path, device: str = "cpu") -> Callable:
    """Load a network that restores pictures.

    Args:
        path: A file that spandrel knows.
        device: Torch device.

    Returns:
        A function of torch float32 (1, 3, H, W), RGB, 0 to 1, that returns such a picture.

    Raises:
        ValueError: The file cannot be loaded, or holds another kind of network.
    """
    descriptor = _load_descriptor(path, device)
    purpose, channels = descriptor.purpose, (descriptor.input_channels, descriptor.output_channels)
    if purpose not in ("FaceSR", "Restoration") or channels != (3, 3):
        raise ValueError(
            f"{path}: holds {descriptor.architecture.name}, a network for {purpose} with {channels[0]} channels in "
            f"and {channels[1]} out; needed is one that restores RGB pictures, such as {NETWORKS[0].example}"
        )
    descriptor.eval()
    options = SIGNED.get(descriptor.architecture.id)
    if options is None:
        return descriptor
    return lambda x: (descriptor.model(2 * x - 1, **options)[0] + 1) / 2


def _load_descriptor(path: Path, device: str):
    """Load any file that spandrel, or its package of extra networks where it is installed, knows."""
    import spandrel

    registry = spandrel.MAIN_REGISTRY.copy()
    has_extra = importlib.util.find_spec("spandrel_extra_arches") is not None
    if has_extra:
        from spandrel_extra_arches import EXTRA_REGISTRY

        registry.add(*EXTRA_REGISTRY, ignore_duplicates=True)
    loader = spandrel.ModelLoader(device, registry)
    state = {}
    try:
        state = loader.load_state_dict_from_file(path)
        return loader.load_from_state_dict(state)
    except spandrel.UnsupportedModelError:
        if "position_emb" in state and "idx_pred_layer.1.weight" in state and not has_extra:
            reason = (
                "CodeFormer needs the package spandrel_extra_arches (pip install spandrel_extra_arches), "
                "whose licence for it (S-Lab 1.0) allows non-commercial use only"
            )
        else:
            reason = f"it is no network that spandrel {spandrel.__version__} knows"
    except Exception as error:  # torch, safetensors and pickle raise a dozen unrelated types here
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    raise ValueError(f"{path}: cannot be loaded as a face-restoration network: {reason}")


def align_for_restoration(landmarks: np.ndarray, aspect: float = 1.0) -> np.ndarray:
    """Find the turn, scale and shift that bring a face into the FFHQ template.

    Least squares over five points: centres of the eyes, tip of the nose,
    corners of the mouth.

    Args:
        landmarks: (68, 2 or 3), pixels of a picture.
        aspect: Height over width of the box of the frame that the picture, if it
            is square, was cut from: a squeezed face does not fit the template.

    Returns:
        float64 (2, 3): picture pixels to template pixels.

    Raises:
        ValueError: Landmarks that are not finite or lie on one spot.
    """
    points = np.asarray(landmarks, np.float64)[:, :2] * [1.0, aspect]
    x, y = five_points(points).T
    ones, zeros = np.ones(5), np.zeros(5)
    # u = a x - b y + c and v = b x + a y + d are linear in a, b, c, d, and never mirror the face.
    equations = np.concatenate([np.stack([x, -y, ones, zeros], 1), np.stack([y, x, zeros, ones], 1)])
    if not np.isfinite(equations).all() or max(np.ptp(x), np.ptp(y)) < 1:
        raise ValueError("landmarks cannot be aligned: they are not finite or lie on one spot")
    a, b, c, d = np.linalg.lstsq(equations, TEMPLATE.T.ravel(), rcond=None)[0]
    return np.array([[a, -b * aspect, c], [b, a * aspect, d]])


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """Reduce landmarks (68, 2) to eye centres, nose tip and mouth corners: (5, 2)."""
    return np.stack(
        [landmarks[36:42].mean(0), landmarks[42:48].mean(0), landmarks[30], landmarks[48], landmarks[54]],
    )


def restoration_box(landmarks: np.ndarray) -> np.ndarray:
    """The upright square of a frame that shows the whole template.

    A picture cut there, unlike a tight face crop, gives the networks hair,
    ears and chin as in their training.

    Args:
        landmarks: (68, 2 or 3), pixels of the frame.

    Returns:
        (4,) x1 y1 x2 y2, pixels; may reach beyond the frame.
    """
    inverse = cv2.invertAffineTransform(align_for_restoration(landmarks))
    corners = np.array([[0, 0], [SIZE, 0], [0, SIZE], [SIZE, SIZE]]) @ inverse[:, :2].T + inverse[:, 2]
    low, high = corners.min(axis=0), corners.max(axis=0)
    centre, half = (low + high) / 2, (high - low).max() / 2
    return np.concatenate([centre - half, centre + half])


def to_template(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Bring a picture into the template.

    Args:
        picture: uint8 RGB (H, W, 3).
        matrix: (2, 3) from ``align_for_restoration``.

    Returns:
        uint8 RGB (512, 512, 3); grey where the picture ends.
    """
    return cv2.warpAffine(picture, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderValue=OUTSIDE)


def from_template(face: np.ndarray, matrix: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Bring a picture back from the template.

    Args:
        face: float32 RGB (512, 512, 3).
        matrix: (2, 3), the one it was brought there with.
        shape: Height and width of the result, pixels.

    Returns:
        float32 RGB (height, width, 3), and its weight, float32 (height, width):
        0 outside the template, rising to 1 inside it.
    """
    size, flags = (shape[1], shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # Border pixels repeat, so that no black is mixed into the rim; the weight is 0 there.
    back = cv2.warpAffine(face, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return back, cv2.warpAffine(_template_mask(), matrix, size, flags=flags)


@functools.cache
def _template_mask() -> np.ndarray:
    """Weight of template pixels: float32 (512, 512), a soft rim around 1."""
    inward = np.minimum(np.arange(SIZE), np.arange(SIZE)[::-1]) / RIM
    ramp = np.clip(np.minimum(inward[:, None], inward), 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def _check_picture(face: np.ndarray) -> None:
    """Refuse what is no RGB picture."""
    if face.dtype != np.uint8 or face.ndim != 3 or face.shape[2] != 3:
        raise ValueError(f"a face must be uint8 RGB (S, S, 3); this is {face.dtype} {face.shape}")


def _resize(face: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale a picture, with the filter that fits the direction."""
    if face.shape[:2] == (height, width):
        return face
    shrinks = face.shape[0] > height
    return cv2.resize(face, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def _to_uint8(picture: np.ndarray) -> np.ndarray:
    """Round to grey levels."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
