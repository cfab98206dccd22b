"""Writing videos: sound beside them, streams, metadata, failures."""

import io

import av
import numpy as np
import pytest

from silvertalk.media import VideoWriter, read_audio, read_frames, read_pictures


def grey(value, height=32, width=32):
    return np.full((height, width, 3), value, np.uint8)


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


def test_live_video_waits_for_no_later_frame(tmp_path):
    """Without it H.264 shows frames in another order than it stores them (B-frames)."""
    random = np.random.default_rng(0)
    reordered = {}
    for live in (False, True):
        path = tmp_path / f"{live}.mp4"
        with VideoWriter(path, 25, live=live) as out:
            for k in range(30):
                out.write(np.roll(random.integers(0, 255, (64, 64, 3), dtype=np.uint8), k, axis=1))
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
            reordered[live] = any(packet.pts != packet.dts for packet in packets)
    assert reordered == {False: True, True: False}
