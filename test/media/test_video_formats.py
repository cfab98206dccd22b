"""Codecs, containers, and time stamps that are not regular."""

import itertools
import logging
from fractions import Fraction

import av
import numpy as np
import pytest

from silvertalk.media import probe, read_frames, read_pictures


def grey(value, height=32, width=32):
    return np.full((height, width, 3), value, np.uint8)


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
