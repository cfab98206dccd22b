"""Which pixels of a face a new mouth may change."""

import cv2
import numpy as np

from silvertalk.face.track import Track, smooth_motion
from silvertalk.face.track import face_scale as pixels_per_mm

LOWER_JAW = slice(4, 13)  # without the sides: a turned head shows the background there in one of two pictures
NOSE_WINGS = (31, 33, 35)
OUTER_LIP = slice(48, 60)
MASK_SIDE = 128  # pixels; masks are smooth, they are enlarged to the face's size
# Shares of the box's side.
FEATHER = 0.07  # width of the soft rim, inside the region
CHIN_ROOM = 0.03  # below the chin, for a jaw that opens further than the filmed one
LIP_ROOM = 0.03  # around the lips, where the filmed detail is never kept


def mask_points(track: Track, fps: float, tracking: bool = True) -> np.ndarray:
    """Landmarks that masks are drawn from, in box coordinates (0 to 1), without trembling.

    Args:
        track: The face.
        fps: Frames per second.
        tracking: Follow every frame's jaw and lips; otherwise one mean shape for all frames.

    Returns:
        float32 (T, 68, 2)
    """
    corner, side = track.bbox[:, None, :2], (track.bbox[:, 2:] - track.bbox[:, :2])[:, None]
    if not tracking:
        relative = (track.landmarks[..., :2] - corner) / side
        return np.broadcast_to(np.median(relative, axis=0), relative.shape).astype(np.float32)
    scale = pixels_per_mm(track.landmarks)
    points = np.empty_like(track.landmarks[..., :2])
    edges = [0, *(np.flatnonzero(np.diff(track.shot)) + 1), len(track)]
    for first, last in zip(edges, edges[1:], strict=False):
        points[first:last] = smooth_motion(track.landmarks[first:last, :, :2], scale[first:last], fps)
    return ((points - corner) / side).astype(np.float32)


def mouth_mask(points: np.ndarray, size: float = 1.0, feather: float = 1.0, top: float = 0.5) -> np.ndarray:
    """Draw the region from the base of the nose to the jaw, with a soft rim inside it.

    Args:
        points: (68, 2) in box coordinates.
        size: Factor on the region, around the mouth; beyond 1 it reaches over the jaw.
        feather: Factor on the width of the rim; 0 is a hard edge.
        top: Height above which nothing may change, in box coordinates: generators join what they draw to what they
            are shown at half height, and that joint must not be seen.

    Returns:
        float32 (MASK_SIDE, MASK_SIDE), 0 outside, 1 around the mouth.
    """
    outline = np.concatenate([points[LOWER_JAW], points[list(NOSE_WINGS)]])
    outline[2:7, 1] += CHIN_ROOM
    centre = points[OUTER_LIP].mean(axis=0)
    region = _filled(centre + size * (outline - centre))
    region[: round(top * MASK_SIDE)] = 0
    if feather <= 0:
        return region.astype(np.float32)
    inward = cv2.distanceTransform(region, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ramp = np.clip((inward - 0.5) / (feather * FEATHER * MASK_SIDE), 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def lip_mask(points: np.ndarray) -> np.ndarray:
    """Draw the lips and the mouth between them, softly: float32 (MASK_SIDE, MASK_SIDE)."""
    lips = points[OUTER_LIP]
    centre = lips.mean(axis=0)
    spread = np.linalg.norm(lips - centre, axis=1, keepdims=True)
    region = _filled(lips + LIP_ROOM * (lips - centre) / np.maximum(spread, 1e-6)).astype(np.float32)
    return cv2.GaussianBlur(region, (0, 0), LIP_ROOM * MASK_SIDE / 2)


def rectangle_mask() -> np.ndarray:
    """The lower half of the box with a hard edge, as the published inference pastes it."""
    mask = np.zeros((MASK_SIDE, MASK_SIDE), np.float32)
    mask[MASK_SIDE // 2 :] = 1
    return mask


def _filled(outline: np.ndarray) -> np.ndarray:
    """Fill the convex hull of points (N, 2) in box coordinates: uint8 (MASK_SIDE, MASK_SIDE), 0 or 1."""
    bits = 4  # of a pixel's fraction, so that the outline does not jump from pixel to pixel
    corners = np.round((outline * MASK_SIDE - 0.5) * 2**bits).astype(np.int32)
    region = np.zeros((MASK_SIDE, MASK_SIDE), np.uint8)
    cv2.fillConvexPoly(region, cv2.convexHull(corners), 1, shift=bits)
    return region
