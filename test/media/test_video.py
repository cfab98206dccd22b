from fractions import Fraction

import numpy as np
import pytest

from silvertalk.media import VideoWriter, probe, read_audio, read_frames

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


def rotate_header(path):
    """Write a quarter turn into the track header of an mp4, as phones do."""
    data = path.read_bytes()
    matrix = data.index(b"tkhd") + 4 + 40
    turn = [0, 1 << 16, 0, -(1 << 16) & 0xFFFFFFFF, 0, 0, 0, 0, 1 << 30]
    path.write_bytes(data[:matrix] + b"".join(v.to_bytes(4, "big") for v in turn) + data[matrix + 36 :])


def test_rotated_video_is_turned_upright(tmp_path):
    picture = grey(0, 32, 64)
    picture[:, 48:] = 255  # the right end is bright
    with VideoWriter(tmp_path / "a.mp4", 25, quality=5) as out:
        for _ in range(3):
            out.write(picture)
    rotate_header(tmp_path / "a.mp4")
    frame = next(iter(read_frames(tmp_path / "a.mp4")))
    assert frame.shape == (64, 32, 3)
    assert frame[56].mean() > 200 and frame[8].mean() < 50  # turned clockwise: right becomes bottom
    assert (probe(tmp_path / "a.mp4").width, probe(tmp_path / "a.mp4").height) == (32, 64)


def test_picture_file_is_one_frame(tmp_path):
    import cv2

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
