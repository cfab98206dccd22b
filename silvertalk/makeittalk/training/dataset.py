"""Training samples of the content branch, the speaker-aware branch and the image translation."""

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from silvertalk.makeittalk.drawing import draw_landmarks
from silvertalk.makeittalk.networks import MAX_LENGTH, WINDOW
from silvertalk.makeittalk.portrait.mesh import MovingPortrait
from silvertalk.makeittalk.statistics import Statistics
from silvertalk.makeittalk.training.clips import PortraitClip
from silvertalk.media import read_window
from silvertalk.training.sampling import ClipDataset

MIN_WINDOWS = 10  # a shorter piece of sound is not animated either
MIN_FRAMES = MIN_WINDOWS + WINDOW
PARTS = {  # mouth and eyes, by the number of points
    68: (slice(48, 68), slice(36, 42), slice(42, 48)),
    74: (slice(52, 74), slice(36, 44), slice(44, 52)),
}
PART_SHARES = (0.6, 0.2, 0.2)  # of the crops around a part
CANDIDATES = 4  # pictures of which a pair is taken
INNER_LIPS = {
    68: ([61, 62, 63], [67, 66, 65]),
    74: ([65, 66, 67], [71, 70, 69]),
}  # upper, lower
PART_MARGIN = 0.35  # of a part's own size, added on each side: lips and lids have a width, and move


class LandmarkDataset(ClipDataset):
    """Pieces of up to ``num_windows`` successive windows of one clip.

    The published training begins in a clip's first fifth and goes on to its
    end; here a piece begins anywhere.

    Args:
        clips: Each of at least ``MIN_FRAMES`` frames.
        seed: See ``ClipDataset``.
        statistics: What sound is normalised by.
        target: Archive of the landmarks to predict: ``registered`` (content branch) or ``landmarks`` (speaker-aware).
        num_windows: At most 512, which is as far as the transformer of the speaker-aware branch sees.
        step: Frames between the windows that are kept.
        noise: Standard deviation of what is added to the normalised sound. Few clips are else learnt by heart.
        speaker_balance: See ``ClipDataset``.

    Items, N being the number of windows: see ``read_piece``.
    """

    def __init__(
        self,
        clips: list[PortraitClip],
        seed: int,
        statistics: Statistics,
        target: str,
        num_windows: int = MAX_LENGTH,
        step: int = 1,
        noise: float = 0.0,
        speaker_balance: float = 0.0,
    ):
        super().__init__(clips, seed, speaker_balance)
        self.statistics, self.target = statistics, target
        self.num_windows, self.step, self.noise = num_windows, step, noise

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng, clip = self._draw(index)
        count = min(self.num_windows, clip.num_frames - WINDOW)
        first = int(rng.integers(clip.num_frames - WINDOW - count + 1))
        piece = read_piece(clip, first, count, self.statistics, self.target, self.step)
        if self.noise:
            piece["au"] += self.noise * torch.from_numpy(rng.standard_normal(piece["au"].shape, np.float32))
        return piece


class HeldOutClips(Dataset):
    """Whole clips (their first 8 seconds), each also with another clip's sound; a clip that is alone, with its own
    of another time.

    Args:
        clips, statistics, target: As for ``LandmarkDataset``.

    Items: see ``read_piece``, and
        control: float32 (N', 18, 80), windows of a sound that has nothing to do with the landmarks; N' is at most N.
    """

    def __init__(self, clips: list[PortraitClip], statistics: Statistics, target: str):
        self.clips, self.statistics, self.target = clips, statistics, target

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        index %= len(self.clips)
        clip, other = self.clips[index], self.clips[(index + 1) % len(self.clips)]
        count = min(MAX_LENGTH, clip.num_frames - WINDOW)
        piece = read_piece(clip, 0, count, self.statistics, self.target)
        if other is clip:
            return piece | {"control": piece["au"].roll(count // 2, 0)}
        count = min(count, other.num_frames - WINDOW)
        return piece | {"control": read_piece(other, 0, count, self.statistics, self.target)["au"]}


def read_piece(
    clip: PortraitClip, first: int, count: int, statistics: Statistics, target: str, step: int = 1
) -> dict[str, torch.Tensor]:
    """Read every ``step``-th of the windows [first, first + count) of a clip, N in all.

    Returns:
        au: float32 (N, 18, 80), windows of normalised sound.
        landmarks: float32 (N, 204), at the first frame of each window.
        face: float32 (204,), the clip's face at rest.
        pose: float32 (N, 7).
        embedding: float32 (256,).
    """
    sound = np.array(statistics.normalise(clip.rows("content", first, count + WINDOW - 1)))
    piece = {
        "landmarks": clip.rows(target, first, count)[::step],
        "face": clip.face_at_rest(),
        "pose": clip.rows("pose", first, count)[::step],
        "embedding": clip.rows("embedding", 0, 1)[0],
    }
    windows = torch.from_numpy(sound).unfold(0, WINDOW, 1).transpose(1, 2)[::step].contiguous()
    return {"au": windows, **{name: torch.from_numpy(np.array(values)) for name, values in piece.items()}}


class TranslationDataset(ClipDataset):
    """Pairs of pictures of one clip: what is to be drawn, by whose landmarks, and what the person looks like.

    Args:
        clips: Each of at least two pictures.
        seed: See ``ClipDataset``.
        img_size: Side of the pictures (pixels).
        augment: Mirror, move, and change light and colours of both pictures alike.
        crop: Side of a part of the pictures that is given instead of all of them (pixels), mostly one with the mouth or
            an eye in it; 0: all. The network sees detail only from near anyway, and takes more of it
            in the same time.
        moved: Give the reference moved to the target's landmarks; needs 68 of them.
        speaker_balance: See ``ClipDataset``.

    Items, S being the side of what is given:
        drawing: uint8 (S, S, 3), the target's landmarks.
        reference: uint8 (S, S, 3), BGR, another picture of the clip.
        target: uint8 (S, S, 3), BGR.
        parts: float32 (3, 4), x1 y1 x2 y2 around mouth and eyes of the target (pixels).
    """

    ZOOM = 0.08  # largest enlargement
    LIGHT, COLOUR = 0.15, 0.05  # largest change of contrast, and of one channel against the others

    def __init__(
        self,
        clips: list[PortraitClip],
        seed: int,
        img_size: int,
        augment: bool = False,
        crop: int = 0,
        moved: bool = False,
        speaker_balance: float = 0.0,
    ):
        super().__init__(clips, seed, speaker_balance)
        self.img_size, self.augment, self.crop, self.moved = img_size, augment, crop, moved

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng, clip = self._draw(index)
        item = self.sample(clip, *self._pair(rng, clip), rng if self.augment else None)
        return self._cropped(rng, item) if self.crop else item

    def _pair(self, rng: np.random.Generator, clip: PortraitClip) -> tuple[int, int]:
        """Draw a reference and a target; in training, half of the time those with most between them.

        Photos mostly show closed mouths, so teeth have to be learnt from pairs that many clips rarely have.
        """
        numbers = rng.choice(clip.num_pictures, min(CANDIDATES, clip.num_pictures), replace=False)
        if self.augment and rng.random() < 0.5:
            upper, lower = INNER_LIPS[clip.num_points]
            points = [self._points(clip, int(number)) for number in numbers]
            numbers = numbers[np.argsort([np.linalg.norm(p[upper] - p[lower], axis=1).sum() for p in points])]
            return int(numbers[0]), int(numbers[-1])
        return int(numbers[0]), int(numbers[1])

    def sample(
        self, clip: PortraitClip, reference: int, target: int, rng: np.random.Generator | None = None
    ) -> dict[str, torch.Tensor]:
        """Read a pair of pictures by their numbers, changed at random where there is an ``rng``."""
        pictures = [read_window(clip.video, number, 1)[0] for number in (reference, target)]
        points = self._points(clip, target)
        if self.moved:
            pictures[0] = MovingPortrait(pictures[0], self._points(clip, reference))(points)
        scale = self.img_size / len(pictures[0])
        move = np.array([[scale, 0, 0], [0, scale, 0]])  # of pixels, as a matrix for OpenCV
        if rng is not None:
            move = self._moved(rng, scale)
            pictures = self._coloured(rng, pictures)
        if rng is not None or scale != 1:
            pictures = [self._warped(picture, move, scale) for picture in pictures]
        points = points @ move[:, :2].T + move[:, 2]
        views = [draw_landmarks(points, self.img_size).astype(np.uint8), *pictures]
        boxes = part_boxes(points)
        if rng is not None and rng.random() < 0.5:  # left and right have the same colours in the drawing, too
            views = [cv2.flip(view, 1) for view in views]
            boxes[:, [0, 2]] = self.img_size - boxes[:, [2, 0]]
        names = ("drawing", "reference", "target")
        item = {name: torch.from_numpy(view) for name, view in zip(names, views, strict=True)}
        return item | {"parts": torch.from_numpy(boxes)}

    def _points(self, clip: PortraitClip, number: int) -> np.ndarray:
        """Landmarks of a picture: (P, 2), its pixels."""
        return clip.rows("picture_landmarks", number, 1).reshape(clip.num_points, -1)[:, :2]

    def _cropped(self, rng: np.random.Generator, item: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Cut the same part out of all pictures."""
        parts, room = item["parts"], self.img_size - self.crop
        corner = rng.integers(0, room + 1, 2)
        if rng.random() < 0.75:
            x1, y1, x2, y2 = parts[rng.choice(len(parts), p=PART_SHARES)].numpy()
            jitter = rng.uniform(-self.crop / 4, self.crop / 4, 2)
            corner = (np.array([x1 + x2, y1 + y2]) / 2 + jitter - self.crop / 2).clip(0, room).astype(int)
        x, y = (int(place) for place in corner)
        cut = {
            name: view[y : y + self.crop, x : x + self.crop].clone() for name, view in item.items() if name != "parts"
        }
        return cut | {"parts": parts - torch.tensor([x, y, x, y])}

    def _moved(self, rng: np.random.Generator, scale: float) -> np.ndarray:
        """A random cut-out, as a matrix (2, 3) for OpenCV; never beyond the border, where there is nothing to learn."""
        zoom = 1 + rng.uniform(0, self.ZOOM)
        offset = self.img_size * (1 - zoom) * rng.random(2)
        return np.array([[scale * zoom, 0, offset[0]], [0, scale * zoom, offset[1]]])

    def _coloured(self, rng: np.random.Generator, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """The same change of light and colours for all pictures."""
        gain = (1 + rng.uniform(-self.LIGHT, self.LIGHT)) * (1 + rng.uniform(-self.COLOUR, self.COLOUR, 3))
        table = np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)[None]
        return [cv2.LUT(picture, table) for picture in pictures]

    def _warped(self, picture: np.ndarray, move: np.ndarray, scale: float) -> np.ndarray:
        """Move a picture."""
        size = (self.img_size, self.img_size)
        if scale < 1:  # OpenCV's warping does not average
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            move = move * [1 / scale, 1 / scale, 1]
        return cv2.warpAffine(picture, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def part_boxes(points: np.ndarray) -> np.ndarray:
    """Boxes around mouth and eyes.

    Args:
        points: (68, 2) or (74, 2), pixels.

    Returns:
        float32 (3, 4), x1 y1 x2 y2, pixels.
    """
    boxes = []
    for part in PARTS[len(points)]:
        low, high = points[part].min(axis=0), points[part].max(axis=0)
        margin = PART_MARGIN * (high - low).max()
        boxes.append([*(low - margin), *(high + margin)])
    return np.array(boxes, np.float32)
