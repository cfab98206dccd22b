"""Reference data of the published MakeItTalk."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from silvertalk.data import PartWriter, combine_parts
from silvertalk.makeittalk.checkpoint import load_checkpoint
from silvertalk.makeittalk.statistics import Statistics
from silvertalk.media import VideoWriter

GOLDENS = Path(__file__).parents[1] / "goldens" / "makeittalk"


@pytest.fixture(scope="session")
def goldens() -> Path:
    """Folder of reference outputs of the published system."""
    return GOLDENS


@pytest.fixture(scope="session")
def golden():
    """Read a file of reference outputs by its name."""
    return lambda name: np.load(GOLDENS / f"{name}.npz")


@pytest.fixture(scope="session")
def manifest():
    """Read the ordered ``[key, shape, dtype]`` of a published network."""
    return lambda name: json.loads((GOLDENS / f"{name}.keys.json").read_text())


@pytest.fixture(scope="session")
def fill(load_module):
    """The module that makes golden weights."""
    return load_module(GOLDENS / "fill.py")


@pytest.fixture(scope="session")
def inputs(load_module):
    """The module that makes golden inputs."""
    return load_module(GOLDENS / "inputs.py")


@pytest.fixture(scope="session")
def constants():
    """Numbers from the published system's data files, which are not ours to give, where there are any."""
    folder = Path(os.environ.get("SILVERTALK_GOLDENS", Path(__file__).parents[3] / "shared" / "goldens"))
    path = folder / "makeittalk" / "constants.npz"
    if not path.is_file():
        pytest.skip("no constants of the published system here; name the folder of goldens in SILVERTALK_GOLDENS")
    return np.load(path)


@pytest.fixture(scope="session")
def filled(fill, manifest):
    """Build a published network with the golden weights, once: its keys and shapes say which it is."""
    networks = {}

    def build(name):
        if name not in networks:
            keys, shapes, _ = zip(*manifest(name), strict=True)
            with ThreadPoolExecutor(2) as pool:  # numpy lets go of Python while it draws 70 million numbers
                arrays = dict(zip(keys, pool.map(fill.fill_array, keys, shapes), strict=True))
            state = {key: torch.from_numpy(np.asarray(x)) for key, x in arrays.items() if x is not None}
            networks[name] = load_checkpoint(state)
        return networks[name].requires_grad_(False)

    return build


@pytest.fixture(scope="session")
def pixels(golden):
    """Landmarks of the golden face: (68, 3), pixels."""
    return golden("landmark_geometry")["face_px"]


@pytest.fixture(scope="session")
def pixel_sequence(pixels, inputs):
    """The golden face wandering: (300, 68, 3), pixels."""
    return pixels + inputs.face_px_sequence(np.zeros((68, 3))) - inputs.face_px(np.zeros((68, 3)))


@pytest.fixture(scope="session")
def portrait_dump(tmp_path_factory) -> Path:
    """A dump of stage 11 of two sets in which mouth, sound and the mouth's picture follow one curve."""
    dump = tmp_path_factory.mktemp("dump")
    for number, (name, count) in enumerate({"tr_no_dev": 3, "dev": 2}.items()):
        folder, ids = dump / name, [f"{name[0]}-{n}" for n in range(count)]
        with PartWriter(folder, 1) as out:
            for n, utt_id in enumerate(ids):
                _write_portrait_clip(out, folder, utt_id, np.random.default_rng((2 + number, n)))
        combine_parts(folder, ids)
    face = _portrait_face(0.0)
    target = np.full(256, 1 / 16)
    Statistics(np.full(80, 0.5), np.full(80, 0.3), face, face[[27, 28, 29, 30, 33, 36, 39, 42, 45]], target).save(
        dump / "statistics.npz"
    )
    return dump


def _portrait_face(opening: float) -> np.ndarray:
    """A normalised face (68, 3) with the lips so far apart."""
    angle = np.linspace(0, 2 * np.pi, 68)
    face = np.stack([0.8 * np.cos(angle), 0.8 * np.sin(angle), 0.1 * np.cos(2 * angle)], 1)
    for first, end, size in ((48, 60, 0.25), (60, 68, 0.18)):
        around = np.pi + np.linspace(0, 2 * np.pi, end - first, endpoint=False)  # from the left, over the upper lip
        face[first:end, 0] = -0.2 + size * np.cos(around)
        face[first:end, 1] = 0.45 + (0.03 + opening) * np.sin(around)
    return face


def _write_portrait_clip(out, folder: Path, utt_id: str, rng: np.random.Generator) -> None:
    """Write one clip of 60 frames (24 pictures of 64 pixels)."""
    curve = (0.5 + 1.5 * np.convolve(rng.standard_normal(80), np.hanning(9) / 4, "same")[10:70]).clip(0, 1)
    faces = np.stack([_portrait_face(0.15 * value) for value in curve])
    nod = 0.05 * np.sin(np.arange(60) / 8)[:, None, None] * [0, 1, 0]
    content = 0.5 + 0.3 * rng.standard_normal((60, 80)) * 0.1 + (curve - 0.3)[:, None]
    pictures = faces[(np.arange(24) * 2.5).astype(int)] * [28, 28, 28] + [32, 32, 0]
    path = folder / "video" / f"{utt_id}.avi"
    with VideoWriter(path, 25, codec="mjpeg", quality=2) as video:
        for points in pictures:
            frame = np.full((64, 64, 3), 160, np.uint8)
            (x1, y1), (x2, y2) = points[48:, :2].min(0).round().astype(int), points[48:, :2].max(0).round().astype(int)
            frame[y1 : y2 + 1, x1 : x2 + 1] = 20
            video.write(frame)
    sound = folder / f"{utt_id}.wav"
    soundfile.write(sound, 0.1 * rng.standard_normal(16000).clip(-1, 1), 16000)
    matrices = {
        "content": content, "embedding": np.full((1, 256), 1 / 16), "registered": faces.reshape(60, -1),
        "landmarks": (faces + nod).reshape(60, -1), "pose": np.tile([0, 0, 0, 1, 0, 0.1, 0], (60, 1)),
        "picture_landmarks": pictures.reshape(24, -1), "crop": np.array([[0, 0, 64, 64]]),
    }  # fmt: skip
    values = {
        "video.scp": path, "audio.scp": sound, "source_video.scp": path, "source_start": 0,
        "utt2spk": utt_id[0], "utt2num_frames": 60, "utt2num_pictures": 24,
    }  # fmt: skip
    out.add(utt_id, matrices, values)
