"""A clip as the metrics see it."""

import functools
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from silvertalk.evaluate import features, lips, lse
from silvertalk.evaluate.metrics import REAL
from silvertalk.evaluate.tables import Row
from silvertalk.face import NoFaceError, Track, crop_face
from silvertalk.face.lips import lip_opening
from silvertalk.media import wav2lip_mel
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.timing import FPS
from silvertalk.syncnet import judge as sync


@dataclass
class Networks:
    """The networks that score; what is missing leaves out its figures."""

    expert: object = None  # our ``SyncNet``, in eval mode
    syncnet_v2: object = None  # the published ``SyncNetV2``, in eval mode
    lse_crop: str = "face"  # see ``lse.CROPS``
    lpips: object = None  # ``features.Lpips``
    describers: list = field(default_factory=list)  # of faces, for Fréchet distances

    @classmethod
    def load(
        cls,
        syncnet_exp: str | os.PathLike | None = None,
        syncnet_v2: str | os.PathLike | None = None,
        lse_crop: str = "face",
        device: str = "cpu",
    ) -> "Networks":
        """Load what there is, and say what is left out.

        Args:
            syncnet_exp: Folder of our trained expert.
            syncnet_v2: File of the published metric network, or a folder that may hold it.
            lse_crop: ``face`` or ``frame``.
            device: Torch device of the two.

        Raises:
            FileNotFoundError: A file that was named is not there.
            ValueError: Weights of another network, or an unknown crop.
        """
        from silvertalk.syncnet.checkpoint import load_checkpoint
        from silvertalk.syncnet.syncnet_v2 import find_syncnet_v2, load_syncnet_v2

        if lse_crop not in lse.CROPS:
            raise ValueError(f"lse_crop '{lse_crop}' is none of {', '.join(lse.CROPS)}")
        expert = load_checkpoint(syncnet_exp).to(device) if syncnet_exp else None
        if expert is None:
            logging.warning("no --syncnet_exp: the expert's distance, confidence and offset are left out")
        weights = find_syncnet_v2(syncnet_v2)
        if weights is None:
            logging.warning(
                "no --syncnet_v2: LSE-D and LSE-C are left out; they need syncnet_v2.model, whose address is in "
                "download_model.sh of github.com/joonson/syncnet_python"
            )
        network = load_syncnet_v2(weights, device) if weights else None
        return cls(expert, network, lse_crop, features.load_lpips(), features.load_describers())


@dataclass(eq=False)
class Clip:
    """What metrics ask for, made when it is asked for, and once; None where a clip has no such thing."""

    kind: str
    track: Track
    frames: Callable[[], Iterator[np.ndarray]]  # reads its pictures at 25 fps: uint8 RGB (H, W, 3)
    sound: Callable[[], np.ndarray] | None  # reads what drives it, 16 kHz (T,); None: silence
    networks: Networks
    real: "Clip | None" = None  # the recording that it belongs to; None: it is one
    compared: bool = False  # whether it should do what that one does
    stored_mel: Callable[[], np.ndarray] | None = None  # reads its mel (T_mel, 80)
    stored_faces: Callable[[int], np.ndarray] | None = None  # reads its face crops of a size: uint8 RGB (T, S, S, 3)

    @functools.cached_property
    def wav(self) -> np.ndarray | None:
        """Sound (T,), 16 kHz."""
        return self.sound() if self.sound else None

    @functools.cached_property
    def mel(self) -> np.ndarray:
        """Mel spectrogram (T_mel, 80) of the sound."""
        return self.stored_mel() if self.stored_mel else wav2lip_mel(self.wav).T

    @functools.cached_property
    def opening(self) -> np.ndarray:
        """Lip opening (T,)."""
        return lip_opening(self.track.landmarks, self.track.bbox)

    @property
    def spoken(self) -> np.ndarray:
        """Lip opening (T',) of the recording."""
        return (self.real or self).opening

    @property
    def wanted(self) -> np.ndarray | None:
        """The same if this clip should have it."""
        return self.real.opening if self.compared else None

    @functools.cached_property
    def seen(self) -> np.ndarray | None:
        """Frames in which the face was found in both: bool (T'',)."""
        if not self.compared:
            return None
        length = min(len(self.track), len(self.real.track))
        seen = self.track.detected[:length] & self.real.track.detected[:length]
        if not seen.any():
            raise NoFaceError("no frame shows a face in both the generated and the real video")
        return seen

    @property
    def shapes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Landmarks (N, 68, 2 or 3), those of the recording, and its boxes (N, 4), of the frames ``seen``."""
        if self.seen is None:
            return None
        tables = self.track.landmarks, self.real.track.landmarks, self.real.track.bbox
        return tuple(table[: len(self.seen)][self.seen] for table in tables)

    @property
    def silent(self) -> np.ndarray:
        """Frames during which nobody speaks: bool (T,)."""
        frames = len(self.opening)
        return np.ones(frames, bool) if self.wav is None else lips.silent_frames(self.wav, frames)

    @property
    def sound_frames(self) -> float | None:
        """Frames that a generated video should have."""
        return None if self.wav is None or self.kind == REAL else len(self.wav) / SAMPLING_RATE * FPS

    @functools.cached_property
    def lag(self) -> np.ndarray | None:
        """Correlation of lip opening and sound level by lag, see ``lips.sound_lag``."""
        return None if self.wav is None else lips.sound_lag(self.opening, self.mel)

    @functools.cached_property
    def _pictures(self) -> tuple[list, list, dict[str, list]]:
        """The expert's faces, pairs of mouths, and descriptions of every fifth face, in one pass over the frames."""
        faces, mouths, described = [], [], {describer.name: [] for describer in self.networks.describers}
        size = self.networks.expert.img_size if self.networks.expert is not None and not self.stored_faces else 0
        real = self.real if self.compared else None
        if not (size or real or described):
            return faces, mouths, described
        originals = real.frames() if real else iter(())
        squares = lips.mouth_squares(real.track.landmarks, real.track.bbox) if real else []
        for n, (frame, bbox) in enumerate(zip(self.frames(), self.track.bbox, strict=False)):
            if size:
                faces.append(crop_face(frame, bbox, size))
            original = next(originals, None) if n < len(squares) else None
            if original is not None and (pair := _mouth_pair(frame, original, squares[n])):
                mouths.append(pair)
            if described and n % features.EVERY == 0 and self.track.detected[n]:
                face = crop_face(frame, bbox, features.INCEPTION_SIZE)
                for describer in self.networks.describers:
                    described[describer.name].append(describer(frame, self.track.landmarks[n], face))
        return faces, mouths, described

    @property
    def mouths(self) -> list[tuple[np.ndarray, np.ndarray]] | None:
        """The same square around the mouth in this clip and the recording, frame by frame: uint8 RGB (S, S, 3)."""
        return self._pictures[1] if self.compared else None

    @property
    def lpips(self) -> Callable | None:
        """Judges pairs of mouths."""
        return self.networks.lpips

    @functools.cached_property
    def embeddings(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The expert's embeddings of sound and lips, (N, D) each."""
        expert = self.networks.expert
        if expert is None or self.wav is None:
            return None
        faces = self.stored_faces(expert.img_size) if self.stored_faces else np.array(self._pictures[0])
        return sync.embed(expert, faces, self.mel)

    @functools.cached_property
    def expert(self) -> Row | None:
        """What our expert says."""
        if self.embeddings is None:
            return None
        row = sync.expert_scores(*self.embeddings)
        return row | {"pair_accuracy": sync.pair_accuracy(*self.embeddings)} if self.kind == REAL else row

    @functools.cached_property
    def _lse(self) -> tuple[Row | None, np.ndarray | None]:
        if self.networks.syncnet_v2 is None or self.wav is None:
            return None, None
        bbox = self.track.bbox if self.networks.lse_crop == "face" else None
        return lse.lse_scores(self.networks.syncnet_v2, self.frames(), bbox, self.wav)

    @property
    def lse(self) -> Row | None:
        """What the published SyncNet says."""
        return self._lse[0]

    def curves(self) -> dict[str, np.ndarray]:
        """What plots and Fréchet distances need, by name: (N, D) each."""
        if self.wav is None:
            return {}
        curves = {"opening": self.opening, "lag": self.lag, "lse": self._lse[1]}
        curves |= {name: np.stack(found) for name, found in self._pictures[2].items() if found}
        if self.embeddings is not None:
            audio, video = self.embeddings
            curves |= {"cosine": sync.offset_curve(audio, video), "lips": video[:: features.EVERY]}
        return {name: c[:, None] if c.ndim == 1 else c for name, c in curves.items() if c is not None}


def _mouth_pair(generated: np.ndarray, real: np.ndarray, square: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Cut the same square out of both; None where it leaves the picture."""
    height, width = real.shape[:2]
    if generated.shape != real.shape:
        generated = cv2.resize(generated, (width, height), interpolation=cv2.INTER_AREA)
    x1, y1, x2, y2 = square
    if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        return None
    return generated[y1:y2, x1:x2], real[y1:y2, x1:x2]
