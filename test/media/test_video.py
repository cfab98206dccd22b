"""Reading videos, pictures and folders of pictures."""

import gc
from fractions import Fraction

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
