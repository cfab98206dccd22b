"""Face detection and 68 landmarks: one interface, three backends.

``dlib`` needs no download: its frontal detector is part of the library (King,
"Dlib-ml", JMLR 2009) and its 68-point predictor (Kazemi and Sullivan, CVPR
2014) comes with the package face_recognition_models. ``face_alignment`` (Bulat
and Tzimiropoulos, ICCV 2017) also finds profiles and depth, but fetches
weights at first use, so it is taken only where they are already there.
``s3fd`` has the boxes of the published Wav2Lip and dlib's landmarks, for people
who have that detector's file only.

Landmark order is that of iBUG 300-W: 0-16 jaw, 17-26 brows, 27-35 nose,
36-47 eyes, 48-59 outer lip, 60-67 inner lip.
"""

import importlib.util
import logging
from pathlib import Path

import cv2
import numpy as np

from silvertalk.media import Picture

BACKENDS = ("auto", "face_alignment", "dlib", "s3fd")
FACE_ALIGNMENT_WEIGHTS = ("s3fd-619a316812.pth", "3DFAN4-7835d9f11d.pth.tar", "depth-2a464da4ea.pth.tar")


class DlibBackend:
    """dlib's frontal detector on a reduced picture, its predictor on the full one."""

    name = "dlib"
    # Faces from about 80 px are found at this size, in 0.02 s on one core.
    DETECTION_SIZE = 480  # pixels, longer side
    # The detector's rectangles jump by whole cells; the mean over slightly larger and smaller ones trembles less.
    RECTANGLE_SCALES = (0.96, 1.0, 1.04)

    def __init__(self):
        import dlib

        path = Path(importlib.util.find_spec("face_recognition_models").origin).parent
        self._rectangle = dlib.rectangle
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(str(path / "models" / "shape_predictor_68_face_landmarks.dat"))

    def view(self, frame: Picture | np.ndarray) -> np.ndarray:
        """What ``detect`` and ``landmarks`` take of a picture, or of uint8 RGB (H, W, 3): brightness (H, W)."""
        # dlib reads arrays with gaps between their rows without complaint, and wrongly.
        return (
            np.ascontiguousarray(frame.luma) if isinstance(frame, Picture) else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        )

    def detect(self, gray: np.ndarray) -> np.ndarray:
        """Find faces in uint8 (H, W); returns boxes float (N, 4), x1 y1 x2 y2 in pixels."""
        scale = min(1.0, self.DETECTION_SIZE / max(gray.shape))
        small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else gray
        boxes = [(r.left(), r.top(), r.right(), r.bottom()) for r in self._detector(small, 0)]
        return np.array(boxes, np.float64).reshape(-1, 4) / scale

    def landmarks(self, gray: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Place 68 landmarks: float (68, 3) in pixels; z is 0, dlib knows no depth."""
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        shapes = []
        for scale in self.RECTANGLE_SCALES:
            corners = np.concatenate([centre - scale * half, centre + scale * half])
            parts = self._predictor(gray, self._rectangle(*(int(round(c)) for c in corners))).parts()
            shapes.append([(p.x, p.y, 0.0) for p in parts])
        return np.mean(shapes, axis=0)


class S3fdBackend:
    """S3FD boxes (see ``s3fd``), and dlib's landmarks in them."""

    name = "s3fd"
    DETECTION_SIZE = 640  # pixels, longer side: half a second on one core, and faces from about 30 px are found
    # dlib's predictor knows dlib's rectangles. In 29 real faces these were squares of 1.07 times the landmarks'
    # mean extent, 0.1 of their height above their middle; S3FD's boxes reach higher, so the square is found by turns.
    SQUARE_SIDE, SQUARE_RISE = 1.07, 0.10
    TURNS = 3  # leave 0.2 % of the face's width between these landmarks and dlib's own, 0.6 % at most

    def __init__(self, device: str = "cpu"):
        from silvertalk.face.detect.s3fd import FaceDetector, find_s3fd

        self._detector = FaceDetector(find_s3fd(), device)
        self._dlib = DlibBackend()

    def view(self, frame: Picture | np.ndarray) -> np.ndarray:
        """What ``detect`` and ``landmarks`` take of a picture: uint8 RGB (H, W, 3)."""
        return frame.rgb() if isinstance(frame, Picture) else frame

    def detect(self, rgb: np.ndarray) -> np.ndarray:
        """Find faces in uint8 (H, W, 3); returns boxes float (N, 4), x1 y1 x2 y2 in pixels."""
        scale = min(1.0, self.DETECTION_SIZE / max(rgb.shape))
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
        return self._detector(small[None])[0].astype(np.float64) / scale

    def landmarks(self, rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Place 68 landmarks: float (68, 3) in pixels; z is 0, dlib knows no depth."""
        gray, half = self._dlib.view(rgb), (box[2] - box[0]) / 2
        square = np.array([box[0], box[3] - 2 * half, box[2], box[3]])  # the lower part: brows to chin
        for _ in range(self.TURNS):
            points = self._dlib.landmarks(gray, square)
            low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
            centre = (low + high) / 2 - (0, self.SQUARE_RISE * (high - low)[1])
            half = self.SQUARE_SIDE * np.sqrt((high - low).prod()) / 2
            square = np.concatenate([centre - half, centre + half])
        return points


class FaceAlignmentBackend:
    """S3FD boxes and FAN landmarks with depth, through the package face_alignment."""

    name = "face_alignment"

    def __init__(self, device: str = "cpu"):
        import face_alignment

        self._network = face_alignment.FaceAlignment(
            face_alignment.LandmarksType.THREE_D, device=device, flip_input=False, compile=False
        )

    def view(self, frame: Picture | np.ndarray) -> np.ndarray:
        """What ``detect`` and ``landmarks`` take of a picture: uint8 RGB (H, W, 3)."""
        return frame.rgb() if isinstance(frame, Picture) else frame

    def detect(self, rgb: np.ndarray) -> np.ndarray:
        """Find faces in uint8 (H, W, 3); returns boxes float (N, 4), x1 y1 x2 y2 in pixels."""
        boxes = self._network.face_detector.detect_from_image(rgb)
        return np.array([box[:4] for box in boxes], np.float64).reshape(-1, 4)

    def landmarks(self, rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Place 68 landmarks: float (68, 3) in pixels."""
        found = self._network.get_landmarks_from_image(rgb, detected_faces=[np.append(box, 1.0)])
        return np.asarray(found[0], np.float64)


def face_alignment_weights() -> list[Path]:
    """Paths where the face_alignment package looks for its weights."""
    import torch

    return [Path(torch.hub.get_dir()) / "checkpoints" / name for name in FACE_ALIGNMENT_WEIGHTS]


def choose_backend(name: str = "auto") -> str:
    """Resolve ``auto``: face_alignment where its weights are there, else dlib.

    Raises:
        ValueError: Unknown backend.
    """
    if name not in BACKENDS:
        raise ValueError(f"unknown face backend '{name}'; choose one of {', '.join(BACKENDS)}")
    if name == "auto":
        name = "face_alignment" if all(path.is_file() for path in face_alignment_weights()) else "dlib"
    logging.info("face backend: %s", name)
    return name


def make_backend(name: str = "auto", device: str = "cpu"):
    """Build a backend with the methods ``view``, ``detect`` and ``landmarks``.

    Args:
        name: ``auto``, ``dlib``, ``face_alignment`` or ``s3fd``.
        device: Torch device of face_alignment and s3fd.

    Raises:
        ValueError: Unknown backend.
        FileNotFoundError: s3fd without its weights.
    """
    name = choose_backend(name)
    if name == "dlib":
        return DlibBackend()
    return S3fdBackend(device) if name == "s3fd" else FaceAlignmentBackend(device)
