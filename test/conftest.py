"""Fixtures that several rooms use: golden files, recordings, media made on the spot."""

import importlib.util
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


def pytest_collection_modifyitems(items):
    """Files with recipes' stages come first: of several processes none begins one when the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("recipe")}
    items.sort(key=lambda item: item.path not in slow)


def encode(
    path: Path,
    times: list[float],
    frames: list[np.ndarray],
    wav: np.ndarray | None = None,
    sampling_rate: int = 44100,
    video_codec: str = "libx264",
    audio_codec: str = "aac",
    rate: Fraction | int = 25,
) -> Path:
    """Write frames, uint8 (H, W, 3), at given times (seconds), and sound, with any codec and container."""
    with av.open(str(path), "w") as out:
        video = out.add_stream(video_codec, rate=rate)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        constant = video_codec.startswith("mpeg")
        video.codec_context.time_base = 1 / Fraction(rate) if constant else Fraction(1, 90000)
        if video_codec == "libx264":
            video.options = {"preset": "ultrafast"}
        sound = None
        if wav is not None:
            sound = out.add_stream(audio_codec, rate=sampling_rate, layout="mono")
        for time, pixels in zip(times, frames, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.time_base = video.codec_context.time_base
            frame.pts = round(time / frame.time_base)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None:
            samples = (np.clip(wav, -1, 1) * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = sampling_rate, 0, Fraction(1, sampling_rate)
            out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
    return path


@pytest.fixture
def make_media():
    """The function ``encode``."""
    return encode


@pytest.fixture
def grid_clip():
    """Write a small clip in GRID's format: MPEG-1 picture with noise, MPEG sound with a tone in its middle."""

    def write(path: Path, num_frames: int = 75, seed: int = 0) -> Path:
        random = np.random.default_rng(seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = list(random.integers(0, 255, (num_frames, 32, 48, 3), dtype=np.uint8))
        seconds = num_frames / 25
        t = np.arange(round(seconds * 44100)) / 44100
        wav = 0.5 * np.sin(2 * np.pi * 440 * t) * (np.abs(t - seconds / 2) < seconds / 4)
        times = [k / 25 for k in range(num_frames)]
        return encode(path, times, frames, wav, video_codec="mpeg1video", audio_codec="mp2")

    return write


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Tests neither find nor leave anything in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SILVERTALK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


GOLDENS = Path(__file__).parent / "goldens" / "wav2lip"


@pytest.fixture(scope="session")
def goldens() -> Path:
    """Folder of reference outputs of the published networks."""
    return GOLDENS


@pytest.fixture(scope="session")
def load_module():
    """Import a file by its path."""

    def load(path: Path):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def fill(load_module):
    """The module that makes golden weights and inputs."""
    module = load_module(GOLDENS / "fill.py")
    module.self_test()
    return module


@pytest.fixture(scope="session")
def grey_engine():
    """An engine that draws grey at once."""
    from silvertalk.engine.runtimes import Engine
    from silvertalk.wav2lip.convert import generator_shapes

    class Grey(Engine):
        def _run(self):
            return np.full((self.batch_size, 3, self.img_size, self.img_size), 0.5, np.float32)

    return Grey("grey", generator_shapes(96), 4)


@pytest.fixture(scope="session")
def media() -> Path:
    """Folder of real recordings, where there is one."""
    folder = Path(os.environ.get("SILVERTALK_MEDIA", Path(__file__).parents[2] / "shared" / "media"))
    if not folder.is_dir():
        pytest.skip("no real recordings here; name their folder in SILVERTALK_MEDIA")
    return folder


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A face that a detector finds: uint8 (240, 240, 3), RGB (NASA, public domain)."""
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut()[:240, 100:340])


@pytest.fixture(scope="session")
def face_video(photo, tmp_path_factory) -> Path:
    """Two seconds of a face that sways a little."""
    from silvertalk.media import VideoWriter

    path = tmp_path_factory.mktemp("video") / "face.mp4"
    with VideoWriter(path, 25) as out:
        for k in range(50):
            out.write(np.roll(photo, round(4 * np.sin(k / 5)), axis=1))
    return path


@pytest.fixture(scope="module")
def face_dir(tmp_path_factory):
    """A face dump in which the brightness of the mouth and the mel level are one curve."""
    from silvertalk.data import PartWriter, combine_parts
    from silvertalk.media import VideoWriter

    folder = tmp_path_factory.mktemp("dump") / "dump"
    with PartWriter(folder, 1) as out:
        for n in range(3):
            curve = 0.5 + 0.5 * np.sin(np.arange(40) / (3 + n))
            path = folder / f"s-{n}.avi"
            with VideoWriter(path, 25, codec="mjpeg", quality=2) as video:
                for value in curve:
                    frame = np.full((96, 96, 3), 90, np.uint8)
                    frame[60:80, 30:66] = int(255 * value)
                    video.write(frame)
            mel = np.repeat(8 * np.repeat(curve, 16)[: 40 * 16 : 5, None] - 4, 80, axis=1)
            out.add(f"s-{n}", {"mel": mel}, {"video.scp": path, "utt2num_frames": 40, "utt2spk": "s"})
    combine_parts(folder, [f"s-{n}" for n in range(3)])
    return folder
