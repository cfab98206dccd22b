"""Draw the example puppet: a friendly elderly counsellor, made for this project, and its landmarks.

    python tools/draw_puppet.py egs/cartoon/counsellor

Everything is placed by the 68 landmarks, so drawing and tables agree. The picture may be used like the code.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from silvertalk.makeittalk.cartoon.puppet import make_puppet, mean_depth

SIZE, FINE = 512, 4  # pixels; drawn so many times larger, for smooth edges
# Colours, BGR.
SKIN, SHADE, NECK, BLUSH, LINE = (178, 208, 245), (150, 184, 229), (142, 176, 222), (160, 175, 245), (70, 86, 128)
HAIR, HAIR_SHADE = (226, 222, 218), (203, 197, 190)
LIP, INSIDE, TONGUE, TEETH = (112, 112, 205), (48, 30, 92), (120, 112, 214), (246, 250, 252)
EYE_WHITE, IRIS, PUPIL, BROW = (252, 252, 252), (126, 98, 60), (44, 32, 28), (176, 170, 164)
CARDIGAN, CARDIGAN_SHADE, BLOUSE = (142, 122, 62), (120, 102, 50), (240, 236, 228)


def landmarks() -> np.ndarray:
    """Place the 68 landmarks, (68, 2) in pixels."""
    turn = np.linspace(np.pi, 0, 17)
    jaw = np.column_stack([256 + 108 * np.cos(turn), 222 + 152 * np.abs(np.sin(turn)) ** 0.9])
    brow_x = np.linspace(-32, 32, 5)
    brow_y = 163 + 0.010 * brow_x**2
    left_brow = np.column_stack([206 + brow_x, brow_y + 4 - 0.06 * brow_x])
    nose = np.column_stack([np.full(4, 256), np.linspace(204, 254, 4)])
    nostrils = np.column_stack([256 + np.linspace(-20, 20, 5), [266, 270, 273, 270, 266]])
    eye = np.array([(-25, 1), (-11, -12), (10, -12), (24, 2), (10, 11), (-11, 11)])
    left_eye, right_eye = eye + (207, 208), (eye * (-1, 1) + (305, 208))[[3, 2, 1, 0, 5, 4]]
    outer_x = np.array([-46, -27, -11, 0, 11, 27, 46, 28, 12, 0, -12, -28])
    outer_y = np.array([0, -9, -13, -11, -13, -9, 0, 17, 24, 26, 24, 17])
    inner_x = np.array([-37, -18, 0, 18, 37, 18, 0, -18])
    inner_y = np.array([1, -3, -4, -3, 1, 12, 16, 12])
    outer, inner = np.column_stack([outer_x, outer_y]) + (256, 310), np.column_stack([inner_x, inner_y]) + (256, 310)
    right_brow = (left_brow * (-1, 1) + (512, 0))[::-1]
    return np.concatenate([jaw, left_brow, right_brow, nose, nostrils, left_eye, right_eye, outer, inner])


class Canvas:
    """A large picture of flat colours."""

    def __init__(self):
        self.colours = np.zeros((SIZE * FINE, SIZE * FINE, 3), np.uint8)
        self.drawn = np.zeros((SIZE * FINE, SIZE * FINE), np.uint8)

    def fill(self, outline: np.ndarray, colour, opacity: float = 1.0, blur: float = 0, within=None) -> None:
        """Fill an outline (N, 2); a blurred one only tints what is there, ``within`` another outline."""
        mask = self._mask(outline)
        if within is not None:
            mask &= self._mask(within)
        if blur:
            mask = cv2.GaussianBlur(mask, (0, 0), blur * FINE)
        else:
            self.drawn |= mask
        x, y, width, height = cv2.boundingRect(mask)
        box = np.s_[y : y + height, x : x + width]
        share = (mask[box] * np.float32(opacity / 255))[..., None]
        self.colours[box] = np.rint(self.colours[box] * (1 - share) + np.float32(colour) * share)

    def line(self, points: np.ndarray, colour, width: float) -> None:
        """Draw a line through points (N, 2), thinner at its ends."""
        points = smooth(np.asarray(points, float), closed=False)
        for k, (point, following) in enumerate(zip(points[:-1], points[1:], strict=True)):
            thin = 0.45 + 0.55 * np.sin(np.pi * (k + 0.5) / (len(points) - 1))
            ends = [tuple(int(v) for v in np.rint(p * FINE)) for p in (point, following)]
            cv2.line(self.colours, *ends, colour, max(1, round(width * thin * FINE)), cv2.LINE_AA)

    def picture(self) -> np.ndarray:
        """Scale down to uint8 BGRA (SIZE, SIZE, 4)."""
        alpha = cv2.resize(self.drawn.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        inked = self.colours * (self.drawn[..., None] / 255.0).astype(np.float32)
        inked = cv2.resize(inked, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        colours = inked * 255 / np.maximum(alpha, 1)[..., None]
        return np.dstack([colours, alpha]).round().clip(0, 255).astype(np.uint8)

    def _mask(self, outline: np.ndarray) -> np.ndarray:
        mask = np.zeros_like(self.drawn)
        cv2.fillPoly(mask, [np.rint(np.asarray(outline) * FINE).astype(np.int32)], 255)
        return mask


def smooth(points: np.ndarray, closed: bool = True, steps: int = 16) -> np.ndarray:
    """Run a Catmull-Rom curve through points (N, 2)."""
    points = np.asarray(points, float)
    around = np.concatenate([points[-1:], points, points[:2]]) if closed else np.pad(points, ((1, 1), (0, 0)), "edge")
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    curve = []
    for a, b, c, d in zip(around, around[1:], around[2:], around[3:], strict=False):
        curve.append(b + (c - a) * t / 2 + (2 * a - 5 * b + 4 * c - d) * t**2 / 2 + (3 * b - a - 3 * c + d) * t**3 / 2)
    return np.concatenate([*curve, points[:1] if closed else points[-1:]])


def ellipse(x: float, y: float, a: float, b: float) -> np.ndarray:
    """Outline of an ellipse."""
    turn = np.linspace(0, 2 * np.pi, 90)
    return np.column_stack([x + a * np.cos(turn), y + b * np.sin(turn)])


def mirrored(points) -> np.ndarray:
    """Turn left into right."""
    return np.asarray(points, float) * (-1, 1) + (512, 0)


def draw_body(canvas: Canvas) -> None:
    """Hair behind the head, shoulders, cardigan, neck, ears."""
    canvas.fill(ellipse(256, 92, 58, 46), HAIR_SHADE)
    canvas.fill(ellipse(256, 196, 138, 132), HAIR_SHADE)
    body = smooth([(40, 520), (62, 462), (130, 428), (256, 412), (382, 428), (450, 462), (472, 520), (256, 540)])
    canvas.fill(body, CARDIGAN)
    canvas.fill(smooth([(196, 414), (256, 400), (316, 414), (290, 480), (256, 540), (222, 480)]), BLOUSE)
    canvas.fill(smooth([(208, 340), (304, 340), (312, 420), (256, 448), (200, 420)]), NECK)
    for side in (lambda p: np.asarray(p, float), mirrored):
        canvas.fill(side(smooth([(196, 412), (232, 452), (214, 478), (176, 424)])), BLOUSE)
        canvas.line(side([(196, 412), (232, 452), (214, 478)]), HAIR_SHADE, 2)
        canvas.line(side([(178, 424), (196, 470), (214, 520)]), CARDIGAN_SHADE, 5)
        canvas.fill(side(ellipse(144, 236, 18, 28)), SHADE)
        canvas.line(side([(138, 222), (134, 238), (142, 252)]), LINE, 1.5)


def draw_head(canvas: Canvas, points: np.ndarray) -> None:
    """Face, cheeks, wrinkles, hair."""
    forehead = ellipse(256, 222, 108, 120)
    outline = np.concatenate([smooth(points[:17], closed=False), forehead[(forehead[:, 1] < 222)][::-1]])
    canvas.fill(outline, SKIN)
    for x in (186, 326):
        canvas.fill(ellipse(x, 272, 26, 20), BLUSH, 0.55, blur=9)
    for side in (lambda p: np.asarray(p, float), mirrored):
        canvas.line(side([(226, 268), (206, 288), (199, 312)]), SHADE, 3.5)
        canvas.line(side([(190, 230), (206, 236), (224, 230)]), SHADE, 2.5)
        canvas.line(side([(176, 204), (168, 200)]), SHADE, 2)
        canvas.line(side([(176, 212), (167, 214)]), SHADE, 2)
        fringe = [(256, 106), (206, 112), (168, 146), (150, 204), (136, 226), (124, 190), (140, 122), (192, 74)]
        canvas.fill(side(smooth([*fringe, (256, 62)])), HAIR)
        for start, end in (((250, 78), (164, 128)), ((252, 92), (158, 156)), ((222, 76), (142, 150))):
            middle = ((start[0] + end[0]) / 2 - 12, (start[1] + end[1]) / 2 - 12)
            canvas.line(side([start, middle, end]), HAIR_SHADE, 3)
    canvas.line([(228, 138), (256, 134), (284, 138)], SHADE, 2)


def draw_features(canvas: Canvas, points: np.ndarray) -> None:
    """Brows, eyes, nose, mouth: where the landmarks are."""
    for brow in (points[17:22], points[22:27]):
        canvas.line(brow, BROW, 9)
    for eye, (x, y) in ((points[36:42], (208, 208)), (points[42:48], (304, 208))):
        almond = smooth(eye * 0.94 + eye.mean(axis=0) * 0.06)
        canvas.fill(almond, EYE_WHITE)
        canvas.fill(ellipse(x, y, 11.5, 11.5), IRIS, within=almond)
        canvas.fill(ellipse(x, y, 6, 6), PUPIL, within=almond)
        canvas.fill(ellipse(x + 4, y - 4, 2.8, 2.8), EYE_WHITE, within=almond)
        canvas.line(eye[:4] * 0.97 + eye.mean(axis=0) * 0.03, LINE, 4.5)
        canvas.line(eye[[3, 4, 5, 0]] * 0.97 + eye.mean(axis=0) * 0.03, SHADE, 2)
    canvas.line([(252, 220), (246, 248), (240, 260)], SHADE, 3)
    canvas.line(points[31:36] + (0, -2), LINE, 3)
    outer, inner = smooth(points[48:60]), smooth(points[60:68])
    canvas.fill(outer, LIP)
    canvas.fill(inner, INSIDE)
    canvas.fill(ellipse(256, 327, 22, 9), TONGUE, within=inner)
    canvas.fill(smooth([(222, 298), (290, 298), (284, 312), (256, 314.5), (228, 312)]), TEETH, within=inner)
    canvas.line([(240, 346), (256, 349), (272, 346)], SHADE, 3)


def draw() -> tuple[np.ndarray, np.ndarray]:
    """Draw the puppet: uint8 BGRA (SIZE, SIZE, 4), and its landmarks (68, 2)."""
    canvas, points = Canvas(), landmarks()
    draw_body(canvas)
    draw_head(canvas, points)
    draw_features(canvas, points)
    return canvas.picture(), points


def main(folder: str) -> None:
    """Write the puppet to a folder named like it."""
    picture, points = draw()
    make_puppet(Path(folder).name, picture, points, mean_depth()).save(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
