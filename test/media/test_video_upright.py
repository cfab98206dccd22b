"""Pictures shown as they were meant: turned, mirrored, with pixels that are not square."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image

from silvertalk.media import VideoWriter, probe, read_frames, read_pictures


def grey(value, height=32, width=32):
    return np.full((height, width, 3), value, np.uint8)


ONE = 1 << 16  # of a number in the track header of an mp4
TURNS = {  # matrix of the header; what is shown, made from what is stored
    "upright": ((ONE, 0, 0, ONE), lambda image: image),
    "90": ((0, ONE, -ONE, 0), lambda image: np.rot90(image, -1)),
    "180": ((-ONE, 0, 0, -ONE), lambda image: np.rot90(image, 2)),
    "270": ((0, -ONE, ONE, 0), lambda image: np.rot90(image)),
    "left and right": ((-ONE, 0, 0, ONE), lambda image: image[:, ::-1]),
    "above and below": ((ONE, 0, 0, -ONE), lambda image: image[::-1]),
    "diagonal": ((0, ONE, ONE, 0), lambda image: image.transpose(1, 0, 2)),
    "other diagonal": ((0, -ONE, -ONE, 0), lambda image: np.rot90(image, 2).transpose(1, 0, 2)),
}


def turn_header(path, matrix):
    """Write a matrix into the track header of an mp4, as phones do."""
    a, b, c, d = matrix
    data = path.read_bytes()
    place = data.index(b"tkhd") + 4 + 40
    turn = b"".join((v & 0xFFFFFFFF).to_bytes(4, "big") for v in (a, b, 0, c, d, 0, 0, 0, 1 << 30))
    path.write_bytes(data[:place] + turn + data[place + 36 :])


def four_colours(height=32, width=48):
    """A picture that looks different however it is turned."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2, 0] = picture[: height // 2, width // 2 :, 1] = 255
    picture[height // 2 :, : width // 2, 2] = picture[height // 2 :, width // 2 :] = 255
    return picture


def corners(rgb):
    """Colours in the middles of the four quarters, each channel 0 or 1."""
    height, width = rgb.shape[:2]
    return (rgb[height // 4 :: height // 2, width // 4 :: width // 2] > 127)[:2, :2].astype(int).tolist()


def assert_shown(path, expected, count=1):
    """Both readers give so many frames of this picture, and the header tells their size."""
    rgb, pictures = list(read_frames(path)), list(read_pictures(path))
    assert len(rgb) == len(pictures) == count
    for frame in (*rgb, *(picture.rgb() for picture in pictures)):
        assert frame.shape == expected.shape and corners(frame) == corners(expected)
    info = probe(path)
    assert (info.height, info.width) == expected.shape[:2]


@pytest.mark.parametrize("turn", TURNS)
def test_turned_video_is_set_upright(tmp_path, turn):
    matrix, shown = TURNS[turn]
    with VideoWriter(tmp_path / "a.mp4", 25, quality=5) as out:
        for _ in range(3):
            out.write(four_colours())
    turn_header(tmp_path / "a.mp4", matrix)
    assert_shown(tmp_path / "a.mp4", shown(four_colours()), 3)


def write_photo(path, orientation, pixels=None):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(four_colours() if pixels is None else pixels).save(path, exif=exif, quality=95)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photo_is_set_upright(tmp_path, orientation, suffix):
    path = write_photo(tmp_path / f"a.{suffix}", orientation)
    upright = cv2.imread(str(path))[..., ::-1]  # OpenCV does it by itself
    assert_shown(path, upright)
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(3):
        write_photo(folder / f"{number}.{suffix}", orientation)
    assert_shown(folder, upright, 3)


def test_transparent_picture_keeps_its_colours(tmp_path):
    alpha = np.tile(np.arange(48, dtype=np.uint8) * 5, (32, 1))
    Image.fromarray(np.dstack([four_colours(), alpha])).save(tmp_path / "a.png")
    assert_shown(tmp_path / "a.png", four_colours())


@pytest.mark.parametrize("aspect", [Fraction(64, 45), Fraction(8, 9), Fraction(1)])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_pixels_that_are_not_square(tmp_path, suffix, aspect):
    path = tmp_path / f"a.{suffix}"
    with VideoWriter(path, 25, pixel_aspect=aspect) as out:
        out.write(grey(0, 32, 48))
    assert probe(path).pixel_aspect == aspect and probe(path).width == 48
    if suffix == "mp4":
        turn_header(path, TURNS["90"][0])
        assert probe(path).pixel_aspect == 1 / aspect and probe(path).height == 48
