import gc
import io
import itertools
import logging
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from silvertalk.media import VideoWriter, probe, read_audio, read_frames, read_jpegs, read_pictures, read_window

RATE = 16000


def grey(value, height=32, width=32):
    return np.full((height, width, 3), value, np.uint8)


def clapper(times, seconds):
    """Frames that flash, and sound that beeps, for 0.1 s at the beginning of every second."""
    frames = [grey(255 if time % 1 < 0.1 - 1e-6 else 0) for time in times]
    t = np.arange(round(seconds * RATE)) / RATE
    return frames, np.where(t % 1 < 0.1, 0.5 * np.sin(2 * np.pi * 1000 * t), 0)


def frame_times(kind, seconds):
    if kind == "variable":
        steps = np.random.default_rng(0).choice([0.02, 0.033, 0.05, 0.08], 3000)
        times = np.cumsum(steps) - steps[0]
        return [float(time) for time in times if time < seconds]
    rate = Fraction(30000, 1001) if kind == "29.97" else Fraction(kind)
    return [float(k / rate) for k in range(int(seconds * rate))]


@pytest.mark.recipe  # seconds
@pytest.mark.parametrize("kind", ["29.97", "30", "24", "60", "variable"])
def test_picture_and_sound_stay_in_step_for_a_minute(tmp_path, make_media, kind):
    times = frame_times(kind, 60)
    frames, wav = clapper(times, 60)
    make_media(tmp_path / "a.mp4", times, frames, wav, RATE, rate=30)
    bright = np.array([frame.mean() > 127 for frame in read_frames(tmp_path / "a.mp4", 25)])
    sound, _ = read_audio(tmp_path / "a.mp4")
    assert abs(len(bright) / 25 - 60) < 0.1 and abs(len(sound) / RATE - 60) < 0.04
    flashes = np.flatnonzero(np.diff(bright.astype(int), prepend=0) == 1) / 25
    loud = np.flatnonzero(np.abs(sound) > 0.1) / RATE
    claps = loud[np.diff(loud, prepend=-1) > 0.5]
    assert len(flashes) == len(claps) == 60
    assert np.abs(flashes - claps).max() < (0.04 if kind != "variable" else 0.1)
    # No drift: late flashes are as late as early ones.
    assert abs(np.mean(flashes[-10:] - claps[-10:]) - np.mean(flashes[:10] - claps[:10])) < 0.04


def test_same_rate_gives_the_same_frames(tmp_path):
    values = list(range(0, 250, 10))
    with VideoWriter(tmp_path / "a.mp4", 25, quality=5) as out:
        for value in values:
            out.write(grey(value))
    again = [round(frame.mean()) for frame in read_frames(tmp_path / "a.mp4", 25)]
    np.testing.assert_allclose(again, values, atol=3)


def test_part_of_a_video(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 25, quality=5) as out:
        for value in range(100):
            out.write(grey(2 * value))
    part = [frame.mean() / 2 for frame in read_frames(tmp_path / "a.mp4", 25, start=1.2, end=2.0)]
    np.testing.assert_allclose(part, range(30, 50), atol=1.5)


@pytest.mark.parametrize("size", [(33, 47), (32, 47), (2, 2), (91, 160)])
def test_odd_sizes_are_filled_up(tmp_path, size):
    picture = np.random.default_rng(0).integers(60, 200, (*size, 3), dtype=np.uint8)
    with VideoWriter(tmp_path / "a.mp4", 25, quality=5) as out:
        out.write(picture)
    frame = next(iter(read_frames(tmp_path / "a.mp4")))
    height, width = size
    assert frame.shape == (height + height % 2, width + width % 2, 3)
    assert probe(tmp_path / "a.mp4").width == width + width % 2


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


def test_moving_gif_keeps_its_times(tmp_path):
    frames = [Image.fromarray(grey(value)) for value in (0, 80, 160, 240)]
    durations = [120, 200, 40, 120]  # milliseconds
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=durations)
    values = [round(picture.rgb().mean() / 80) for picture in read_pictures(tmp_path / "a.gif", 25)]
    assert values == [0] * 3 + [1] * 5 + [2] + [3] * 3
    assert not probe(tmp_path / "a.gif").is_image


def test_folder_of_pictures(tmp_path):
    for number in (10, 9, 1, 100):
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), grey(2 * number))
    (tmp_path / "notes.txt").write_text("not a picture")
    np.testing.assert_allclose([p.rgb().mean() for p in read_pictures(tmp_path)], [2, 18, 20, 200], atol=2)
    assert [f.mean() for f in read_frames(tmp_path, start=0.08, end=0.12)] == [20]
    info = probe(tmp_path)
    assert (info.fps, info.duration, info.width, info.has_audio, info.is_image) == (25, 0.16, 32, False, False)
    cv2.imwrite(str(tmp_path / "frame101.png"), grey(0, 32, 48))
    with pytest.raises(RuntimeError, match="frame101.png: is 48x32, others 32x32"):
        list(read_pictures(tmp_path))
    (tmp_path / "frame101.png").write_bytes(b"not a picture")
    with pytest.raises(RuntimeError, match="frame101.png: is not a readable picture"):
        list(read_pictures(tmp_path))


def test_empty_folder_is_named(tmp_path):
    for read in (probe, lambda path: next(read_pictures(path)), lambda path: next(read_frames(path))):
        with pytest.raises(RuntimeError, match=f"{tmp_path}: holds no pictures"):
            read(tmp_path)


FORMATS = [
    ("a.webm", "libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    ("b.webm", "libvpx", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    ("a.mkv", "mpeg4", "yuv420p", {"qscale": "2"}),
    ("a.avi", "mjpeg", "yuvj420p", {}),
    ("b.avi", "mpeg4", "yuv420p", {}),
    ("a.mov", "libx264", "yuv420p", {}),
    ("b.mov", "prores_ks", "yuv422p10le", {}),
    ("a.ts", "libx264", "yuv420p", {}),
    ("a.mpg", "mpeg2video", "yuv420p", {}),
    ("a.flv", "flv1", "yuv420p", {}),
    ("a.wmv", "wmv2", "yuv420p", {}),
    ("c.mkv", "ffv1", "bgra", {}),
    ("interlaced.mp4", "libx264", "yuv420p", {"x264-params": "tff=1"}),
    ("422.mp4", "libx264", "yuv422p", {}),
    ("10bit.mp4", "libx264", "yuv420p10le", {}),
]


def write_with(path, codec, pixel_format="yuv420p", options=None, times=None, size=(32, 48), num_frames=30):
    """Write frames that get brighter: at 25 a second, or at given milliseconds."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.height, stream.width = size
        stream.pix_fmt, stream.options = pixel_format, options or {}
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for k in range(len(times or range(num_frames))):
            frame = av.VideoFrame.from_ndarray(grey(brightness(k), *size), "rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = (times[k], Fraction(1, 1000)) if times else (k, Fraction(1, 25))
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def brightness(k):
    return 8 * k % 248


def seen(path, *span):
    """Brightness of each frame; both readers agree."""
    values = [picture.rgb().mean() for picture in read_pictures(path, 25, *span)]
    np.testing.assert_allclose([frame.mean() for frame in read_frames(path, 25, *span)], values, atol=3)
    return values


@pytest.mark.parametrize("name, codec, pixel_format, options", FORMATS, ids=[row[0] for row in FORMATS])
def test_formats(tmp_path, name, codec, pixel_format, options):
    path = write_with(tmp_path / name, codec, pixel_format, options)
    expected = [brightness(k) for k in range(30)]
    np.testing.assert_allclose(seen(path), expected, atol=6)
    for start, end in ((0.4, 0.8), (0.0, 0.2), (1.0, None), (0.5, 0.5)):
        last = 30 if end is None else round(end * 25 + 0.01)
        np.testing.assert_allclose(seen(path, start, end), expected[round(start * 25 + 0.01) : last], atol=6)
    assert seen(path, 5.0) == seen(path, 5.0, 6.0) == []
    info = probe(path)
    assert (info.width, info.height, info.fps, info.has_audio, info.is_image) == (48, 32, 25, False, False)
    assert info.constant_rate and info.pixel_aspect == 1


@pytest.mark.parametrize("name, codec", [("a.ts", "libx264"), ("a.mpg", "mpeg2video"), ("a.mkv", "libx264")])
def test_part_behind_the_longest_pause(tmp_path, monkeypatch, name, codec):
    """Where a file is entered far from its beginning, the first time stamp is no leap."""
    monkeypatch.setattr("silvertalk.media.video.LONGEST_PAUSE", 10.0)
    path = write_with(tmp_path / name, codec, size=(16, 16), num_frames=1000)
    values = seen(path, 30.0, 30.4)
    assert len(values) == 10
    # One frame of play: MPEG-PS does not stamp every picture.
    expected = [brightness(30 * 25 + k) for k in range(-1 if name == "a.mpg" else 0, 10)]
    assert any(np.allclose(values, expected[k : k + 10], atol=3) for k in range(len(expected) - 9))


def test_picture_size_that_changes_is_scaled(tmp_path):
    with av.open(str(tmp_path / "a.avi"), "w") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for k, (width, height) in enumerate([(64, 48)] * 3 + [(96, 64)] * 3 + [(33, 47)] * 3):
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
            encoder.time_base = Fraction(1, 25)
            frame = av.VideoFrame.from_ndarray(grey(20 * k, height, width), "rgb24").reformat(format="yuvj420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            for packet in encoder.encode(frame):
                packet.stream, packet.time_base = stream, Fraction(1, 25)
                out.mux(packet)
    np.testing.assert_allclose(seen(tmp_path / "a.avi"), [20 * k for k in range(9)], atol=3)
    assert {frame.shape for frame in read_frames(tmp_path / "a.avi")} == {(48, 64, 3)}


EVEN = [40 * k for k in range(30)]
LEAPS = {  # milliseconds; frames that are shown, and whether damage is told
    "pause": (EVEN[:20] + [t + 8000 for t in EVEN[20:]], 230, False),
    "slides": ([10000 * k for k in range(6)], 1251, False),
    "clock set to another day": (EVEN[:20] + [t + 86_400_000 for t in EVEN[20:]], 30, True),
    "longer than any pause": (EVEN[:20] + [t + 1_000_000 for t in EVEN[20:]], 30, True),
    "late last frame": (EVEN[:20] + [8000], 201, False),
    "late first frames": ([t + 5000 for t in EVEN], 30, False),
}


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("kind", LEAPS)
def test_time_stamps_that_leap(tmp_path, caplog, kind, suffix):
    times, count, damaged = LEAPS[kind]
    path = write_with(tmp_path / f"a.{suffix}", "libx264", times=times, options={"bf": "0"})
    with caplog.at_level(logging.WARNING):
        pictures = list(itertools.islice(read_pictures(path), 2000))
    # Matroska does not say how long the last frame is shown.
    assert abs(len(pictures) - count) <= (50 if kind == "slides" else 0)
    assert round(pictures[-1].rgb().mean()) == pytest.approx(brightness(len(times) - 1), abs=3)
    assert ("damaged" in caplog.text) == damaged


class Stamped:
    """A frame of which only the time stamp counts."""

    def __init__(self, time):
        self.time = time


@pytest.mark.parametrize(
    "stamps, expected, damaged",
    [
        ([0, 1, 2, 50, 4, 5], [0, 1, 2, 3, 4, 5], 1),  # one false stamp
        ([0, 1, 2, 1e6, 4, 5], [0, 1, 2, 3, 4, 5], 1),
        ([0, 50, 51, 2, 53, 54], [0, 50, 51, 52, 53, 54], 1),
        ([0, 50, 51, 0, 1, 2], [0, 50, 51, 52, 53, 54], 1),  # set anew
        ([0, 1, 1e6, 1e6 + 1, 4, 5], [0, 1, 2, 3, 4, 5], 2),  # and back
        ([0, 1, 50, 51], [0, 1, 50, 51], 0),  # a pause
        ([0, 1, None, None, 4], [0, 1, 2, 3, 4], 0),
        ([None, None, None], [0, 1, 2], 0),
        ([1e6, 1, 2, 3], [0, 1, 2, 3], 2),
    ],
)
def test_times_of_frames(stamps, expected, damaged):
    from silvertalk.media.video import _lay_out

    problems = []
    frames = _lay_out(map(Stamped, stamps), 0.0, 0.0, nominal=1.0, latest=100.0, damaged=problems)
    assert [time for time, _ in frames] == expected
    assert len(problems) == damaged


def test_joined_recordings_are_shown_whole(tmp_path):
    first = write_with(tmp_path / "1.ts", "libx264", options={"bf": "0"}, num_frames=100).read_bytes()
    second = write_with(tmp_path / "2.ts", "libx264", options={"bf": "0"}, num_frames=50).read_bytes()
    (tmp_path / "a.ts").write_bytes(first + second)
    assert len(list(read_pictures(tmp_path / "a.ts"))) in range(148, 151)


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


def test_picture_file_is_one_frame(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), grey(100, 20, 30))
    frames = list(read_frames(tmp_path / "a.png"))
    assert len(frames) == 1 and frames[0].shape == (20, 30, 3)
    assert probe(tmp_path / "a.png").is_image


@pytest.mark.parametrize("content", [b"", b"not a video" * 100])
def test_what_is_no_video_is_named(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(RuntimeError, match="a.mp4"):
        list(read_frames(tmp_path / "a.mp4"))
    with pytest.raises(RuntimeError, match="a.mp4"):
        probe(tmp_path / "a.mp4")


def test_missing_video(tmp_path):
    with pytest.raises(FileNotFoundError, match="b.mp4"):
        next(iter(read_frames(tmp_path / "b.mp4")))


def test_cut_off_video_gives_what_is_there(tmp_path, grid_clip):
    path = grid_clip(tmp_path / "a.mpg")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 20 < len(list(read_frames(path))) < 60


def test_failed_writing_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), VideoWriter(tmp_path / "a.mp4", 25) as out:
        out.write(grey(0))
        raise KeyError
    with pytest.raises(RuntimeError, match="no frame"), VideoWriter(tmp_path / "b.mp4", 25):
        pass
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_written_is_named():
    from silvertalk.media import VideoWriter

    with pytest.raises(OSError, match="cannot write /proc/out.mp4"), VideoWriter("/proc/out.mp4", 25):
        pass


def clicks(rate, places=(0.5, 1.0, 1.6)):
    """Two seconds of silence with clicks of 2 ms."""
    wav = np.zeros(2 * rate, np.float32)
    for place in places:
        wav[round(place * rate) :][: rate // 500] = 0.8
    return wav


def in_pieces(wav):
    """Cut sound into pieces of odd sizes, some of them empty."""
    sizes = np.random.default_rng(0).integers(0, 3000, 1000)
    sizes[3:5] = sizes[-1] = 0
    return iter(np.split(wav, np.minimum(np.cumsum(sizes), len(wav)), axis=-1))


class OnlyWrite:
    """What can be written to, but neither searched nor told its place."""

    def __init__(self):
        self.data = b""

    def write(self, data):
        self.data += data
        return len(data)


def write_clip(path, target, num_frames=50, audio=None, rate=None, **options):
    """Write grey frames, the ones at 1.0 and 1.6 s white, to a path, an open file or an ``OnlyWrite``."""
    stream = path if target == "path" else io.FileIO(path, "wb") if target == "file" else OnlyWrite()
    with VideoWriter(stream, 25, audio, rate, **options) as out:
        for k in range(num_frames):
            out.write(grey(255 if k in (25, 40) else 60))
    if target == "file":
        stream.close()
    if target == "write":
        path.write_bytes(stream.data)
    return path


SHAPES = {
    "(T,)": lambda wav: wav,
    "(1, T)": lambda wav: wav[None],
    "(2, T)": lambda wav: np.stack([wav, wav]),
    "float64": lambda wav: wav.astype(np.float64),
    "pieces": in_pieces,
    "pieces (2, n)": lambda wav: in_pieces(np.stack([wav, wav])),
}


TARGETS = [("a.mp4", "path"), ("a.mkv", "path"), ("a.mov", "path"), ("a.mp4", "file"), ("a.mp4", "write")]
SOUNDS = [("pieces", *target, rate) for target in TARGETS for rate in (16000, 22050, 48000)]
SOUNDS += [(shape, "a.mp4", target, 16000) for shape in SHAPES for target in ("path", "write")]


@pytest.mark.parametrize("shape, name, target, rate", SOUNDS)
def test_sound_is_written_in_its_place(tmp_path, shape, name, target, rate):
    path = write_clip(tmp_path / name, target, audio=SHAPES[shape](clicks(rate)), rate=rate)
    sound, found = read_audio(path)
    assert found == rate
    # Matroska does not say where the codec's last block ends.
    assert 0 <= len(sound) / rate - 2 < (0.07 if name == "a.mkv" else 0.002)
    loud = np.flatnonzero(np.abs(sound) > 0.3) / rate
    np.testing.assert_allclose(loud[np.diff(loud, prepend=-1) > 0.1], [0.5, 1.0, 1.6], atol=0.005)
    white = np.flatnonzero([picture.luma.mean() > 200 for picture in read_pictures(path)]) / 25
    np.testing.assert_allclose(white, [1.0, 1.6], atol=1e-6)


@pytest.mark.parametrize(
    "audio, seconds",
    [(None, None), (np.zeros(4000), 0.25), (np.zeros(32000), 2.0), (np.zeros(0), 0), (iter([]), 0)],
    ids=["none", "shorter", "longer", "empty", "no pieces"],
)
@pytest.mark.parametrize("target", ["path", "write"])
def test_sound_shorter_or_longer_than_the_film(tmp_path, audio, seconds, target):
    path = write_clip(tmp_path / "a.mp4", target, 25, audio, 16000)
    assert len(list(read_pictures(path))) == 25
    if not seconds:
        with pytest.raises(RuntimeError, match="a.mp4"):
            read_audio(path)
    elif isinstance(audio, np.ndarray):
        assert len(read_audio(path)[0]) / 16000 == pytest.approx(seconds, abs=0.002)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"audio": np.zeros(100), "rate": 96000}, "a.mp4: AAC takes .* not 1 at 96000; resample"),
        ({"audio": np.zeros(100), "rate": 12345}, "a.mp4: AAC takes .* not 1 at 12345; resample"),
        ({"audio": np.zeros(100)}, "a.mp4: AAC takes .* not 1 at None; resample"),
        ({"audio": np.zeros((3, 100)), "rate": 16000}, "a.mp4: AAC takes .* not 3 at 16000; resample"),
    ],
)
def test_sound_that_aac_does_not_take_is_named(tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        write_clip(tmp_path / "a.mp4", "path", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_no_positive_rate_is_named(tmp_path, fps):
    with pytest.raises(ValueError, match="a.mp4: .* frames a second"), VideoWriter(tmp_path / "a.mp4", fps):
        pass


@pytest.mark.parametrize("name, target", TARGETS)
def test_metadata_survives(tmp_path, name, target):
    metadata = {"title": "Über", "silvertalk": {"voices": [1, 2], "ß": "x"}}
    path = write_clip(tmp_path / name, target, 3, metadata=metadata)
    with av.open(str(path)) as container:
        found = {key.lower(): value for key, value in container.metadata.items()}
    assert found["title"] == "Über"
    assert found["silvertalk"] == '{"voices": [1, 2], "ß": "x"}'


@pytest.mark.parametrize("target, keyframes, distance", [("path", 10, 10), ("write", 10, 10), ("write", None, 25)])
def test_key_frames(tmp_path, target, keyframes, distance):
    path = write_clip(tmp_path / "a.mp4", target, keyframes=keyframes)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    keys = [k for k, packet in enumerate(packets) if packet.is_keyframe]
    assert max(np.diff([*keys, 50])) <= distance and keys[0] == 0


def test_odd_sides_repeat_their_last_row_and_column(tmp_path):
    picture = np.random.default_rng(0).integers(60, 200, (33, 47, 1), dtype=np.uint8).repeat(3, 2)
    with VideoWriter(tmp_path / "a.mp4", 25, quality=0) as out:
        out.write(picture)
    luma = next(read_pictures(tmp_path / "a.mp4")).luma
    np.testing.assert_array_equal(luma[-1], luma[-2])
    np.testing.assert_array_equal(luma[:, -1], luma[:, -2])
    np.testing.assert_allclose(next(read_frames(tmp_path / "a.mp4"))[:33, :47].astype(int), picture, atol=4)


@pytest.mark.parametrize("name", ["a.xyz", "a", "folder.mp4"])
def test_path_that_cannot_be_written_is_named(tmp_path, name):
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OSError, match=f"cannot write {tmp_path / name} .*choose another"):
        write_clip(tmp_path / name, "path")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.mp4"]


def test_missing_folder_is_made(tmp_path):
    assert write_clip(tmp_path / "new" / "deep" / "a.mp4", "path", 2).is_file()


@pytest.mark.parametrize(
    "error, words", [(OSError(28, "No space left on device"), "No space left"), (BrokenPipeError(), "has gone")]
)
def test_stream_that_breaks_is_named(error, words):
    class Broken(OnlyWrite):
        def write(self, data):
            if len(self.data) > 1000:
                raise error
            return super().write(data)

    with pytest.raises(OSError, match=words), VideoWriter(Broken(), 25) as out:
        for seed in range(60):
            out.write(np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8))


def test_stream_is_an_open_file_in_memory():
    memory = io.BytesIO()
    with VideoWriter(memory, 25) as out:
        for k in range(60):
            out.write(grey(4 * k))
    assert memory.getvalue().count(b"moof") >= 5  # fragments of 0.4 s


@pytest.mark.parametrize("read", [read_frames, read_pictures])
def test_frames_go_as_soon_as_nobody_holds_them(face_video, read):
    gc.collect()
    gc.disable()  # what only it would free adds up: a minute of 720p took 600 MB
    try:
        assert sum(1 for _ in read(face_video)) == 50
        assert gc.collect() < 25
    finally:
        gc.enable()


@pytest.fixture
def mjpeg(tmp_path):
    """Twelve smooth grey pictures, each a JPEG file of its own; and the pictures."""
    random = np.random.default_rng(0)
    planes = [cv2.resize(random.integers(0, 255, (3, 3), np.uint8), (30, 30)) for _ in range(12)]
    pictures = [np.repeat(plane[..., None], 3, axis=2) for plane in planes]
    with VideoWriter(tmp_path / "a.avi", 25, codec="mjpeg", quality=2) as out:
        for picture in pictures:
            out.write(picture)
    return tmp_path / "a.avi", pictures


@pytest.mark.parametrize(("first", "count"), [(0, 12), (0, 1), (4, 5), (11, 1)])
def test_a_window_is_what_decoding_the_file_gives(mjpeg, first, count):
    path, pictures = mjpeg
    window = read_window(path, first, count)
    decoded = list(read_frames(path))[first : first + count]
    assert window.shape == (count, 30, 30, 3) and window.dtype == np.uint8
    for got, whole, written in zip(window[..., ::-1], decoded, pictures[first : first + count], strict=True):
        np.testing.assert_allclose(got.astype(int), whole, atol=2)  # two decoders
        assert np.abs(got.astype(int) - written).mean() < 2


def test_a_window_of_a_damaged_file_is_refused_by_name(mjpeg):
    path, _ = mjpeg
    with pytest.raises(RuntimeError, match=r"a.avi: frames 8..12 wanted, it has 12"):
        read_window(path, 8, 5)
    (jpeg,) = read_jpegs(path, 5, 1)
    data = path.read_bytes()
    path.write_bytes(data.replace(jpeg, bytes(len(jpeg))))
    with pytest.raises(RuntimeError, match=r"a.avi: frame 5 is damaged; run stage 3 again"):
        read_window(path, 3, 5)
    assert len(read_window(path, 6, 5)) == 5
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(RuntimeError, match=r"a.avi: frames 0..4 wanted, it has 0"):
        read_window(path, 0, 5)
