"""Rendering with generators of other sizes than 96 pixels."""

import cv2
import numpy as np
import pytest
import torch

from silvertalk.bin.silvertalk import main
from silvertalk.engine.model import psnr
from silvertalk.engine.runtimes import Engine
from silvertalk.face import make_backend
from silvertalk.media import VideoWriter, read_frames, write_audio
from silvertalk.syncnet.layers import IMG_SIZES
from silvertalk.talker.options import RenderOptions
from silvertalk.wav2lip import Wav2Lip, save_checkpoint
from silvertalk.wav2lip.convert import check_inputs, generator_shapes
from silvertalk.wav2lip.lipsync import LipSync

RATE = 16000
SOUND = 0.1 * np.random.default_rng(0).normal(size=RATE // 5).astype(np.float32)


class Echo(Engine):
    """Draws the reference."""

    def __init__(self, img_size):
        super().__init__("echo", generator_shapes(img_size), 4)

    def _run(self):
        return self.inputs["face"][:, 3:]


@pytest.fixture(scope="module")
def still(photo, tmp_path_factory):
    """A large face that does not move, and its video."""
    rgb = cv2.resize(photo, (720, 720), interpolation=cv2.INTER_CUBIC)
    path = tmp_path_factory.mktemp("still") / "face.mp4"
    with VideoWriter(path, 25, quality=8) as out:
        for _ in range(6):
            out.write(rgb)
    return path, next(iter(read_frames(path)))


@pytest.mark.recipe  # seconds
def test_a_larger_picture_is_a_sharper_one(still, tmp_path):
    path, filmed = still
    backend, closeness = make_backend("dlib"), []
    for size in IMG_SIZES:
        options = RenderOptions(quality="fast", gate=False, crf=8, cache=False)
        LipSync(Echo(size), backend).render(path, SOUND, RATE, tmp_path / "o.mp4", options)
        drawn = next(iter(read_frames(tmp_path / "o.mp4")))
        changed = np.abs(drawn.astype(int) - filmed).max(axis=2) > 0
        assert changed.mean() > 0.02
        closeness.append(psnr(drawn / 255.0, filmed / 255.0))
    assert closeness == sorted(closeness)
    assert closeness[0] > 30 and closeness[-1] > closeness[0] + 3, closeness  # in its place


@pytest.mark.recipe  # seconds
def test_a_bare_file_of_256_pixels_renders(still, tmp_path):
    torch.manual_seed(1)
    network = Wav2Lip(256, 0.0625).train()
    mels, faces = map(torch.from_numpy, check_inputs(generator_shapes(256)))
    with torch.no_grad():
        for _ in range(10):  # statistics of the batch norms
            network(mels, faces)
    save_checkpoint(tmp_path / "wav2lip256.pth", network.state_dict())
    write_audio(tmp_path / "s.wav", SOUND, RATE)
    options = {"face": still[0], "audio": tmp_path / "s.wav", "out": tmp_path / "o.mp4", "engine": "torch"}
    options |= {"wav2lip_exp": tmp_path / "wav2lip256.pth", "face_backend": "dlib"}
    main(["lipsync", *(f"--{name}={value}" for name, value in options.items())])
    frames = list(read_frames(tmp_path / "o.mp4"))
    assert len(frames) == 5 and frames[0].shape == still[1].shape
    assert np.abs(frames[2].astype(int) - still[1]).max() > 20
