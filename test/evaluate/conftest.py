"""A face whose mouth is a patch of brightness, and clips of it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from silvertalk.media import VideoWriter

spec = importlib.util.spec_from_file_location("faces", Path(__file__).with_name("test_lips.py"))
faces = importlib.util.module_from_spec(spec)
spec.loader.exec_module(faces)

STEP = 15  # brightness per pixel of lip opening


class PatchBackend:
    """Finds the face where the picture is not black; the mouth is as open as the patch is bright."""

    def view(self, frame):
        return frame.rgb()

    def detect(self, rgb):
        return np.array([[100.0, 100.0, 200.0, 200.0]]) if rgb.max() > 30 else np.zeros((0, 4))

    def landmarks(self, rgb, box):
        return faces.speaking([rgb[180:200, 140:160].mean() / STEP])[0]


def write_clip(path, gap, wav=None):
    """A grey picture with a patch for a mouth, as H.264 of high quality, with AAC."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 25, wav, 16000 if wav is not None else None) as out:
        for value in gap:
            frame = np.full((240, 300, 3), 90, np.uint8)
            frame[170:210, 130:170] = np.uint8(value * STEP)
            out.write(frame)


def sound(gap, seed):
    """Noise as loud as the mouth is open."""
    level = np.repeat(gap / 12, 640)
    return (0.3 * level * np.random.default_rng(seed).normal(size=len(level)) / 3).astype(np.float32)


@pytest.fixture
def patches():
    """``PatchBackend``, ``write_clip``, ``sound`` and the syllables of test_lips in one place."""
    from types import SimpleNamespace

    return SimpleNamespace(Backend=PatchBackend, write_clip=write_clip, sound=sound, faces=faces)
