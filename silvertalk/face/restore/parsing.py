"""Which pixels are skin and lips, by a published face-parsing network, if its weights are there.

Any ONNX export of a network trained on CelebAMask-HQ's 19 classes (Lee et al.,
"MaskGAN", CVPR 2020) in the order of zllrunning/face-parsing.PyTorch and
yakhyo/face-parsing (BiSeNet; Yu et al., ECCV 2018). It sees what landmarks do
not: hands, microphones and hair in front of the mouth, which are other classes
or background to it. The classes have no name for beards.
"""

import fnmatch
import os
from pathlib import Path

import cv2
import numpy as np

# eye_g is glasses, ear_r an ear-ring, mouth what lies between the lips, neck_l a necklace.
CLASSES = (
    *("background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r"),
    *("nose", "mouth", "u_lip", "l_lip", "neck", "neck_l", "cloth", "hair", "hat"),
)
MOUTH = tuple(CLASSES.index(name) for name in ("mouth", "u_lip", "l_lip"))
SKIN, NOSE, NECK = (CLASSES.index(name) for name in ("skin", "nose", "neck"))
SIZE = 512  # pixels, side of the network's picture
# Channel statistics of ImageNet, RGB 0 to 1, with which these networks were trained.
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
# Of file names in lower case, the preferred ones first; the last are yakhyo/face-parsing's own names.
PATTERNS = (
    "*parsing*.onnx",
    "*bisenet*.onnx",
    "*face_parser*.onnx",
    "*faceparser*.onnx",
    "resnet34.onnx",
    "resnet18.onnx",
)
NOSE_END = 0.95  # of the nose's pixels lie above the row where the mask begins; the rest may be specks
NOSE_RAMP = 0.03  # of the picture's side, over which the mask rises below the nose
# How far below the face a jaw that opens further than the filmed one may reach into the neck, of the picture's side.
CHIN_ROOM = 0.06


class FaceParser:
    """Tells what of a face picture a new mouth may change."""

    def __init__(self, path: str | os.PathLike | None):
        """Load a network.

        Args:
            path: An ONNX file, as from ``find_parser``.

        Raises:
            FileNotFoundError: No such file.
            ValueError: The file cannot be loaded, or its shapes are others than
                (1, 3, 512, 512) in and (1, 19, 512, 512) out.
        """
        if path is None or not Path(path).is_file():
            raise FileNotFoundError(
                f"no face-parsing network{'' if path is None else ' ' + str(path)}: looked for {', '.join(PATTERNS)}, "
                "an ONNX export of BiSeNet (GitHub: yakhyo/face-parsing releases, MIT; "
                "weights trained on CelebAMask-HQ, non-commercial). Masks from landmarks work without it"
            )
        self.path = Path(path)
        self._session = self._load()
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    def __call__(self, face: np.ndarray) -> np.ndarray:
        """Weigh the pixels of a face picture; see ``mask``.

        Args:
            face: uint8 RGB (S, S, 3).

        Returns:
            float32 (S, S) in [0, 1].
        """
        return self.mask(face, face.shape[0])

    def mask(self, face: np.ndarray, size: int) -> np.ndarray:
        """Weigh the pixels of a face picture.

        Lips, the mouth between them and the skin below the nose may change, and
        of the neck a strip along the chin, so that a jaw may open. The rest of
        the neck, nose, eyes, hair, clothes, glasses and all background may not.

        Args:
            face: uint8 RGB (S, S, 3).
            size: Side of the result, pixels.

        Returns:
            float32 (size, size) in [0, 1]: the network's probability that the
            pixel may change.
        """
        mask = changeable(self.probabilities(face))
        shrinks = size < mask.shape[0]
        mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return np.clip(mask, 0, 1)

    def probabilities(self, face: np.ndarray) -> np.ndarray:
        """Probability of every class.

        Args:
            face: uint8 RGB (S, S, 3).

        Returns:
            float32 (19, 512, 512), in the order of ``CLASSES``.

        Raises:
            ValueError: Not such a picture.
            RuntimeError: The network gave something else than (1, 19, 512, 512).
        """
        if face.dtype != np.uint8 or face.ndim != 3 or face.shape[0] != face.shape[1] or face.shape[2] != 3:
            raise ValueError(f"a face must be uint8 RGB (S, S, 3); this is {face.dtype} {face.shape}")
        shrinks = face.shape[0] > SIZE
        picture = cv2.resize(face, (SIZE, SIZE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        x = np.ascontiguousarray(((picture / np.float32(255) - MEAN) / STD).transpose(2, 0, 1))[None]
        logits = self._session.run([self._output], {self._input: x})[0]
        if logits.shape != (1, len(CLASSES), SIZE, SIZE):
            raise RuntimeError(f"{self.path}: gave {logits.shape}, expected {(1, len(CLASSES), SIZE, SIZE)}")
        power = np.exp(logits[0] - logits[0].max(axis=0))
        return power / power.sum(axis=0)

    def _load(self):
        """Open the file and check its shapes."""
        import onnxruntime

        try:
            session = onnxruntime.InferenceSession(str(self.path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has its own types and no common base
            reason = " ".join(str(error).split())[:300]
            raise ValueError(f"{self.path}: cannot be loaded as an ONNX network: {reason}") from error
        # Some exports also give the training's two auxiliary outputs; the first one counts.
        found = (session.get_inputs(), session.get_outputs()[0])
        if len(found[0]) != 1 or not _fits(found[0][0], 3) or not _fits(found[1], len(CLASSES)):
            inputs = ", ".join(f"{i.type} {tuple(i.shape)}" for i in found[0])
            raise ValueError(
                f"{self.path}: is no face-parsing network for {len(CLASSES)} classes: takes {inputs} and gives "
                f"{found[1].type} {tuple(found[1].shape)}; expected is a float tensor (1, 3, {SIZE}, {SIZE}) in "
                f"and (1, {len(CLASSES)}, {SIZE}, {SIZE}) out"
            )
        return session


def _fits(value, channels: int) -> bool:
    """Compare an ONNX input or output with float (1, channels, 512, 512); dimensions left open fit."""
    wanted = (1, channels, SIZE, SIZE)
    if value.type != "tensor(float)" or len(value.shape) != len(wanted):
        return False
    return all(not isinstance(have, int) or have == want for have, want in zip(value.shape, wanted, strict=True))


def changeable(probabilities: np.ndarray) -> np.ndarray:
    """Add up what a new mouth may change: skin below the nose, lips, mouth, and the neck along the chin.

    Args:
        probabilities: float32 (19, H, W).

    Returns:
        float32 (H, W) in [0, 1].
    """
    labels = probabilities.argmax(axis=0)
    height = labels.shape[0]
    rows = np.arange(height, dtype=np.float32)
    below_nose = np.clip((rows - _nose_end(labels)) / (NOSE_RAMP * height), 0, 1)[:, None]
    mouth = probabilities[list(MOUTH)].sum(axis=0)
    skin = below_nose * (probabilities[SKIN] + _near_face(labels) * probabilities[NECK])
    return np.minimum(mouth + skin, 1)


def _nose_end(labels: np.ndarray) -> float:
    """Row where the nose ends; the middle of the picture, where the face box has it, if none is seen."""
    rows = np.flatnonzero((labels == NOSE).any(axis=1))
    if not len(rows):
        return labels.shape[0] / 2
    return float(np.quantile(np.nonzero(labels == NOSE)[0], NOSE_END))


def _near_face(labels: np.ndarray) -> np.ndarray:
    """Weight of pixels by their distance from skin and lips: float32 (H, W), 1 on them, 0 from ``CHIN_ROOM`` on."""
    away = np.isin(labels, (SKIN, *MOUTH), invert=True).astype(np.uint8)
    if away.all():
        return np.zeros(labels.shape, np.float32)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Full for the first half, then falling, so that the mask ends softly on the neck.
    return np.clip(2 - 2 * distance / (CHIN_ROOM * labels.shape[0]), 0, 1)


def find_parser(weights_dir: str | os.PathLike | None) -> Path | None:
    """Find a face-parsing network by its file name, at any depth of a folder; None where there is none."""
    files = sorted(path for path in Path(weights_dir).rglob("*") if path.is_file()) if weights_dir else []
    for pattern in PATTERNS:
        for path in files:
            if fnmatch.fnmatch(path.name.lower(), pattern):
                return path
    return None
