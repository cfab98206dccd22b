"""Pictures as planes: every pixel format in its right colours, and what nobody changes bit for bit."""

import av
import numpy as np
import pytest

from silvertalk.media import Picture, VideoWriter, read_pictures
from silvertalk.media.picture import cut, even_box, resize, rgb_to_yuv, yuv_to_rgb

TAGS = ("colorspace", "color_range", "color_primaries", "color_trc")
SPACES = {"BT.601": 5, "SMPTE 170M": 6, "BT.709": 1, "BT.2020": 9, "unknown": 2}
RANGES = {"limited": 1, "full": 2, "unknown": 0}
YUV = "yuv420p yuvj420p yuv422p yuvj422p yuv444p yuv420p10le yuv422p10le yuv444p12le p010le nv12 yuyv422 yuva420p"
RGB = "rgb24 bgr24 bgra rgba argb gbrp gbrp10le gbrap rgb48le"
GREY = "gray gray10le gray16le ya8"


def tags(frame):
    return [int(getattr(frame, tag)) for tag in TAGS]


def tagged(width, height, name="yuv420p", space=2, span=0, primaries=2, curve=2):
    frame = av.VideoFrame(width, height, name)
    for tag, value in zip(TAGS, (space, span, primaries, curve), strict=True):
        setattr(frame, tag, value)
    return frame


def noise(frame, seed=0):
    """Fill a frame of 4:2:0 with pixels that differ everywhere."""
    picture = Picture(frame)
    for plane in picture.planes:
        plane[:] = np.random.default_rng(seed).integers(0, 256, plane.shape)
    return picture


def encoded(rgb, space, full, bits):
    """Y, U, V of colours 0-255 after ITU-T H.273, each number rounded to an integer of so many bits."""
    red_weight, blue_weight = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}.get(space, (0.299, 0.114))
    red, green, blue = (rgb[..., channel] / 255 for channel in range(3))
    y = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    u, v = (blue - y) / (2 * (1 - blue_weight)), (red - y) / (2 * (1 - red_weight))
    unit, top = 2 ** (bits - 8), 2**bits - 1
    if full:
        return [np.rint(y * top), *(np.clip(np.rint(c * top + 128 * unit), 0, top) for c in (u, v))]
    return [np.rint((219 * y + 16) * unit), *(np.rint((224 * c + 128) * unit) for c in (u, v))]


COLOURS = np.random.default_rng(0).integers(15, 240, (4, 6, 3))


def patches(colours, width=99, height=65):
    """Squares of 16 pixels, one of each colour; the odd last row and columns repeat it."""
    pixels = colours.repeat(16, 0).repeat(16, 1)
    return np.pad(pixels, ((0, height - 64), (0, width - 96), (0, 0)), mode="edge").astype(np.uint8)


def yuv_frame(name, space, span):
    """Patches in a format, made with the formula above; FFmpeg only moves the numbers to their places."""
    full = span == 2 or name.startswith("yuvj")
    bits = av.VideoFormat(name).components[0].bits
    source = av.VideoFrame(99, 65, "yuv444p" if bits == 8 else f"yuv444p{bits}le")
    dtype = np.uint8 if bits == 8 else np.uint16
    for plane, values in zip(source.planes, encoded(patches(COLOURS), space, full, bits), strict=True):
        row = np.frombuffer(plane, dtype).reshape(65, -1)
        row[:] = np.pad(values, ((0, 0), (0, row.shape[1] - 99)), mode="edge")  # FFmpeg may read behind the end
    same = 2 if full else 1
    frame = source.reformat(format=name, src_color_range=same, dst_color_range=same)
    frame.colorspace, frame.color_range = space, span
    return frame


def assert_shows(picture, colours, atol=3.5):
    """The middles of the patches have the colours, converted by FFmpeg and by our matrices."""
    np.testing.assert_allclose(picture.rgb()[8:64:16, 8:96:16].astype(int), colours, atol=atol)
    boxes = [(x + 4, y + 4, x + 12, y + 12) for y in range(0, 64, 16) for x in range(0, 96, 16)]
    crops = np.array([picture.crop(box, 8)[4, 4] for box in boxes], int)
    np.testing.assert_allclose(crops, colours.reshape(-1, 3), atol=atol)


@pytest.mark.parametrize("span", RANGES)
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", YUV.split())
def test_video_has_its_colours(name, space, span):
    picture = Picture.from_frame(yuv_frame(name, SPACES[space], RANGES[span]))
    assert_shows(picture, COLOURS)
    full = RANGES[span] == 2 or name.startswith("yuvj")
    assert picture.frame.colorspace == SPACES[space]
    assert (picture.frame.format.name.startswith("yuvj") or picture.frame.color_range == 2) == full


@pytest.mark.parametrize("name", [*RGB.split(), "gray"])
def test_brightness_is_rounded_not_cut(name):
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(16, 0)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(ramp[..., None].repeat(3, 2)), "rgb24")
    if name == "gray":
        frame = av.VideoFrame.from_ndarray(ramp, "gray")
    picture = Picture.from_frame(frame.reformat(format=name))
    # Deep formats are dithered: only the mean is right.
    np.testing.assert_allclose(picture.luma.mean(axis=0), ramp[0] * (219 / 255) + 16, atol=0.6)


@pytest.mark.parametrize("span", RANGES)
@pytest.mark.parametrize("name", RGB.split())
def test_rgb_has_its_colours(name, span):
    frame = av.VideoFrame.from_ndarray(patches(COLOURS), "rgb24").reformat(format=name)
    frame.color_range = RANGES[span]
    picture = Picture.from_frame(frame)
    assert_shows(picture, COLOURS)
    assert tags(picture.frame)[:2] == [1, 1]


def test_what_is_transparent_keeps_its_colours():
    alpha = np.random.default_rng(0).integers(0, 256, (65, 99, 1), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.dstack([patches(COLOURS)[..., ::-1], alpha])), "bgra")
    assert_shows(Picture.from_frame(frame), COLOURS)


def test_palette_has_its_colours():
    colours = COLOURS.reshape(-1, 3)
    palette = np.zeros((256, 4), np.uint8)
    palette[:24] = np.hstack([np.full((24, 1), 255), colours])  # ARGB
    places = patches(np.arange(24).reshape(4, 6, 1))[..., 0]
    assert_shows(Picture.from_frame(av.VideoFrame.from_ndarray((places, palette), "pal8")), COLOURS)


@pytest.mark.parametrize("name", GREY.split())
def test_grey_has_its_brightness(name):
    colours = COLOURS[..., :1].repeat(3, 2)
    frame = av.VideoFrame.from_ndarray(patches(colours), "rgb24").reformat(format=name, dst_color_range=2)
    assert_shows(Picture.from_frame(frame), colours, atol=4.5)


def test_grey_of_video_range_is_left_as_it_is():
    values = np.random.default_rng(0).integers(16, 236, (32, 48), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(values, "gray")
    frame.color_range = 1
    np.testing.assert_array_equal(Picture.from_frame(frame).luma, values)


SIZES = [(64, 48), (66, 50), (33, 47), (1, 1), (2, 3), (719, 31)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("turns", range(-1, 5))
def test_turned_pictures(size, turns):
    picture = noise(tagged(*size, "yuv420p", 9, 2, 9, 14))
    turned = Picture.from_frame(picture.frame, turns)
    for plane, original in zip(turned.planes, picture.planes, strict=True):
        np.testing.assert_array_equal(plane, np.rot90(original, turns))
    assert (turned.height, turned.width) == turned.luma.shape == np.rot90(picture.luma, turns).shape
    assert tags(turned.frame) == [9, 2, 9, 14]
    mirrored = Picture.from_frame(picture.frame, turns, mirrored=True)
    np.testing.assert_array_equal(mirrored.luma, np.rot90(picture.luma[:, ::-1], turns))


@pytest.mark.parametrize("size", SIZES)
def test_planes_are_views_and_copies_are_not(size):
    picture = noise(tagged(*size, "yuvj420p", 1, 2, 1, 13))
    half = (-(-size[1] // 2), -(-size[0] // 2))
    assert [plane.shape for plane in picture.planes] == [size[::-1], half, half]
    again = picture.copy()
    assert tags(again.frame) == [1, 2, 1, 13] and again.frame.format.name == "yuvj420p"
    before = [plane.copy() for plane in picture.planes]
    for plane, old in zip(again.planes, before, strict=True):
        np.testing.assert_array_equal(plane, old)
        plane[:] = 255 - plane
    for plane, old, other in zip(picture.planes, before, Picture(again.frame).planes, strict=True):
        np.testing.assert_array_equal(plane, old)
        np.testing.assert_array_equal(other, 255 - old)  # what was written is in the frame


def test_converted_formats_keep_their_tags():
    for name in ("yuv422p", "yuv420p10le", "yuv444p", "nv12"):
        assert tags(Picture.from_frame(tagged(64, 48, name, 9, 1, 9, 14)).frame) == [9, 1, 9, 14]
        assert tags(Picture.from_frame(tagged(64, 48, name, 1, 2, 1, 1)).frame) == [1, 2, 1, 1]


@pytest.mark.parametrize("span", RANGES)
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", ["yuv420p", "yuvj420p"])
def test_matrices_are_inverse(name, space, span):
    frame = tagged(64, 48, name, SPACES[space], RANGES[span])
    forward, back = yuv_to_rgb(frame), rgb_to_yuv(frame)
    square = [np.vstack([matrix, [0, 0, 0, 1]]) for matrix in (forward, back)]
    np.testing.assert_allclose(square[0] @ square[1], np.eye(4), atol=1e-9)
    full = name == "yuvj420p" or RANGES[span] == 2
    white, black = (255, 0) if full else (235, 16)
    np.testing.assert_allclose(forward @ [white, 128, 128, 1], 255, atol=1e-9)
    np.testing.assert_allclose(forward @ [black, 128, 128, 1], 0, atol=1e-9)


@pytest.mark.parametrize("span", ["limited", "full"])
@pytest.mark.parametrize("space", ["BT.601", "BT.709", "BT.2020"])
def test_crop_and_back(space, span):
    picture = Picture(yuv_frame("yuv420p", SPACES[space], RANGES[span]))
    rgb = picture.crop((0, 0, 64, 64), 64).astype(float)
    yuv = np.dstack([rgb, np.ones((64, 64))]) @ rgb_to_yuv(picture.frame).T
    middle = slice(8, 64, 16), slice(8, 64, 16)  # of the patches, where colour is not scaled over an edge
    half = slice(4, 32, 8), slice(4, 32, 8)
    for number, place in enumerate((middle, half, half)):
        np.testing.assert_allclose(yuv[..., number][middle], picture.planes[number][place], atol=1.5)


BOXES = {
    "inside": (2, 4, 20, 30),
    "over the left and upper border": (-10, -6, 12, 14),
    "over the right and lower border": (40, 30, 90, 80),
    "over all": (-20, -20, 100, 100),
    "outside to the left": (-60, 4, -20, 30),
    "outside below": (4, 200, 30, 240),
    "outside at the corner": (400, 400, 440, 440),
}


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
@pytest.mark.parametrize("size", [(64, 48), (33, 47), (2, 2)])
def test_boxes_beyond_the_border_repeat_it(size, box):
    picture = noise(tagged(*size))
    x1, y1, x2, y2 = box
    around = 500
    padded = np.pad(picture.luma, around, mode="edge")
    expected = padded[y1 + around : y2 + around, x1 + around : x2 + around]
    np.testing.assert_array_equal(cut(picture.luma, box), expected)
    assert picture.crop(box, 24).shape == (24, 24, 3)


@pytest.mark.parametrize("bbox", [(0.4, 0.6, 10.9, 11.1), (-3, -5, 7, 9), (5, 5, 5, 5), (9, 9, 3, 3), (1e4, 0, 0, 1e4)])
def test_even_boxes(bbox):
    x1, y1, x2, y2 = box = even_box(np.array(bbox, np.float32))
    assert all(isinstance(v, int) and v % 2 == 0 for v in box)
    assert x2 - x1 >= 4 and y2 - y1 >= 4
    assert abs(x1 - bbox[0]) <= 1 and abs(y1 - bbox[1]) <= 1


@pytest.mark.parametrize("shape", [(8, 8), (20, 20), (5, 40), (40, 5), (1, 1)])
def test_scaled_planes(shape):
    flat = np.full(shape, 77, np.uint8)
    assert resize(flat, 20, 20).shape == (20, 20) and (resize(flat, 20, 20) == 77).all()
    same = np.zeros((20, 20), np.uint8)
    assert resize(same, 20, 20) is same


@pytest.mark.parametrize("size", [16, 48, 96, 97, 256])
def test_a_face_does_not_move_when_it_is_scaled(size):
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, 32:] = (255, 40, 40)
    red = Picture.from_rgb(rgb).crop((0, 0, 64, 64), size)[size // 2, :, 0]
    edge = np.interp(127, red, (np.arange(size) + 0.5) / size)
    assert abs(edge - 0.5) < 0.75 / size + 0.008


FILES = [
    ("yuv420p", (1, 1, 1, 1)),
    ("yuv420p", (9, 1, 9, 14)),
    ("yuv420p", (5, 1, 5, 6)),
    ("yuv420p", (1, 2, 1, 1)),
    ("yuvj420p", (9, 2, 9, 16)),
    ("yuvj420p", (6, 2, 6, 6)),
    ("yuv420p", (2, 0, 2, 2)),
]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("name, colours", FILES)
def test_pixels_and_tags_survive_the_file(tmp_path, name, colours, suffix):
    pictures = [noise(tagged(66, 50, name, *colours), seed) for seed in range(3)]
    with VideoWriter(tmp_path / f"a.{suffix}", 25, quality=0) as out:
        for picture in pictures:
            out.write(picture)
    again = list(read_pictures(tmp_path / f"a.{suffix}"))
    assert len(again) == 3
    for picture, copy in zip(pictures, again, strict=True):
        assert tags(copy.frame) == list(colours)
        assert copy.frame.format.name == ("yuvj420p" if colours[1] == 2 else "yuv420p")
        for plane, other in zip(picture.planes, copy.planes, strict=True):
            np.testing.assert_array_equal(plane, other)


def test_rgb_is_written_with_its_colour_space(tmp_path):
    colour = (200, 60, 30)
    for frame in (np.full((32, 48, 3), colour, np.uint8), Picture.from_rgb(np.full((32, 48, 3), colour, np.uint8))):
        with VideoWriter(tmp_path / "a.mp4", 25, quality=1) as out:
            out.write(frame)
        picture = next(read_pictures(tmp_path / "a.mp4"))
        assert tags(picture.frame)[:2] == [1, 1]
        np.testing.assert_allclose(picture.rgb()[16, 24].astype(int), colour, atol=3)
