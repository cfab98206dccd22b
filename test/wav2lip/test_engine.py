"""Every backend draws what torch draws, and a cached network needs no torch."""

import logging
import os
import shutil
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest
import torch

from silvertalk.engine import convert, select
from silvertalk.engine.model import psnr
from silvertalk.engine.runtimes import TorchEngine
from silvertalk.media import read_frames
from silvertalk.syncnet.windows import mask_lower_half
from silvertalk.training.experiment import save_config
from silvertalk.wav2lip import SyncNet, Wav2Lip, save_checkpoint
from silvertalk.wav2lip.checkpoint import load_generator
from silvertalk.wav2lip.convert import check_inputs, generator_shapes
from silvertalk.wav2lip.engine import generator_model, make_engine

WIDTH = 0.0625
WAYS = [
    ("openvino", "fp32"),
    pytest.param("openvino", "bf16", marks=pytest.mark.recipe),  # seconds
    ("onnxruntime", "fp32"),
    ("torch", "bf16"),
]


def save_experiment(folder, network, task):
    """Write what a training leaves."""
    save_config(folder, {"task": task, "model": {"img_size": 96, "width": WIDTH}})
    save_checkpoint(folder / "latest.pth", network.state_dict())
    return folder


@pytest.fixture(scope="module")
def exp_dir(tmp_path_factory):
    """An experiment whose small generator draws pictures with some contrast."""
    torch.manual_seed(2)
    network = Wav2Lip(width=WIDTH).train()
    mels, faces = map(torch.from_numpy, check_inputs(generator_shapes(96)))
    with torch.no_grad():
        for _ in range(30):  # statistics of the batch norms
            network(mels, faces)
        network.output_block[1].weight *= 3
    return save_experiment(tmp_path_factory.mktemp("exp") / "wav2lip", network, "wav2lip")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One cache for the module: a conversion takes six seconds."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def inputs(photo, face_video):
    """Seven mel windows and faces cut from a picture and a video."""
    frames = [photo, *list(read_frames(face_video, 25))[:60:8]][:7]
    faces = np.stack([cv2.resize(frame[60:190, 60:190, ::-1], (96, 96)) for frame in frames])
    faces = faces.transpose(0, 3, 1, 2).astype(np.float32) / 255
    faces = np.concatenate([mask_lower_half(faces), faces[::-1]], axis=1)
    mels = np.random.default_rng(0).uniform(-4, 4, (len(faces), 1, 80, 16)).astype(np.float32)
    return mels, faces


@pytest.fixture(scope="module")
def wanted(exp_dir, inputs):
    """What torch fp32 draws."""
    with torch.inference_mode():
        pictures = load_generator(exp_dir)(*map(torch.from_numpy, inputs)).numpy()
    assert pictures.std() > 0.05 and psnr(pictures, pictures[::-1]) < 35  # a comparison that can fail
    return pictures


def possible(backend, precision):
    """Skip what this machine cannot do."""
    if not select._installed(backend):
        pytest.skip(f"no {backend} here")
    if precision not in select._precisions(backend, "cpu"):
        pytest.skip(f"this processor has no {precision}")


@pytest.mark.recipe  # seconds
@pytest.mark.parametrize("backend, precision", WAYS)
def test_backends_draw_what_torch_draws(exp_dir, cache, inputs, wanted, backend, precision):
    possible(backend, precision)
    made = make_engine(exp_dir, backend, "cpu", precision, batch_size=4, cache_dir=cache)
    assert (made.name, made.img_size, made.batch_size) == (f"{backend} {precision}", 96, 4)
    first = made(*(x[:4] for x in inputs))
    rest = made(*(x[4:] for x in inputs))  # three frames: a part of a batch
    given = np.concatenate([first, rest])
    assert given.dtype == np.float32 and given.shape == (7, 3, 96, 96)
    assert psnr(given, wanted) >= 40
    np.testing.assert_allclose(made(*(x[1:2] for x in inputs))[0], given[1], atol=1e-5)
    # A result is not overwritten by the next call, and any thread may call.
    kept, others = first.copy(), {}
    threads = [
        threading.Thread(target=lambda k=k: others.update({k: made(*(x[k : k + 1] for x in inputs))})) for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(first, kept)
    np.testing.assert_allclose(np.concatenate([others[k] for k in range(4)]), first, atol=1e-5)


MAKE = """
import sys
from silvertalk.wav2lip.engine import make_engine
from silvertalk.wav2lip.convert import check_inputs, generator_shapes
engine = make_engine(sys.argv[1], "openvino", "cpu", "fp32", 4, cache_dir=sys.argv[2])
assert engine(*check_inputs(generator_shapes(96))).shape == (4, 3, 96, 96)
unwanted = {"torch", "lightning", "onnxruntime", "onnx"} & set(sys.modules)
assert not unwanted, unwanted
assert sys.modules["openvino_telemetry"] is None
"""


def start(code, *arguments):
    """Start Python on some code."""
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE, text=True)


def succeeded(process):
    """Wait for a process."""
    errors = process.communicate(timeout=120)[1]
    assert process.returncode == 0, errors


@pytest.mark.recipe  # seconds
def test_cached_network_needs_no_torch_and_a_broken_one_is_made_again(exp_dir, cache, tmp_path):
    possible("openvino", "fp32")
    make_engine(exp_dir, "openvino", "cpu", "fp32", cache_dir=cache)
    whole = convert.convert_cached(generator_model(exp_dir), "openvino", "fp32", cache).path.parent
    copied = shutil.copytree(whole, tmp_path / whole.name)
    model = copied / "model.bin"
    before = model.stat().st_mtime_ns
    succeeded(start(MAKE, exp_dir, tmp_path))
    assert model.stat().st_mtime_ns == before
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 255
    model.write_bytes(content)
    (tmp_path / f".{whole.name}.1.tmp").mkdir()  # of a conversion that was killed
    for process in [start(MAKE, exp_dir, tmp_path), start(MAKE, exp_dir, tmp_path)]:
        succeeded(process)
    assert {p.name: p.read_bytes() for p in copied.iterdir()} == {p.name: p.read_bytes() for p in whole.iterdir()}
    assert {p.name for p in tmp_path.iterdir()} == {whole.name, ".lock"}


def test_changed_weights_are_another_network(exp_dir, tmp_path):
    possible("openvino", "fp32")
    found = generator_model(exp_dir)
    keys = {convert.cache_key(found, "openvino", precision) for precision in ("fp32", "bf16")}
    save_experiment(tmp_path, Wav2Lip(width=WIDTH), "wav2lip")
    keys.add(convert.cache_key(generator_model(tmp_path), "openvino", "fp32"))
    assert len(keys) == 3


def test_what_does_not_draw_the_same_is_not_used(exp_dir, cache, monkeypatch, caplog):
    possible("openvino", "fp32")
    monkeypatch.setattr(select, "_precisions", lambda backend, device: ["fp32"])
    record = convert.Converted(cache, 31.4)
    monkeypatch.setattr(select, "convert_cached", lambda *args: record)
    with pytest.raises(RuntimeError, match="openvino fp32 is only 31.4 dB close"):
        make_engine(exp_dir, "openvino", "cpu", "fp32", cache_dir=cache)
    with caplog.at_level(logging.WARNING):
        assert make_engine(exp_dir, device="cpu", cache_dir=cache).name == "torch fp32"
    assert "31.4 dB" in caplog.text and "taking" in caplog.text


def test_failed_conversion_is_told(exp_dir, tmp_path, monkeypatch, caplog):
    possible("openvino", "fp32")
    junk = tmp_path / "junk.pth"
    junk.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="junk.pth: is a text file"):
        make_engine(junk, device="cpu", cache_dir=tmp_path / "cache")
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):  # no cache: torch
        assert make_engine(exp_dir, device="cpu", cache_dir=tmp_path / "file").name == "torch fp32"
    with pytest.raises(OSError):
        make_engine(exp_dir, "openvino", cache_dir=tmp_path / "file")


def test_network_in_memory_is_taken_as_it_is(inputs):
    network = Wav2Lip(width=WIDTH).train()
    made = make_engine(network, device="cpu", batch_size=7)
    assert made.name == "torch fp32"
    before = made(*inputs)
    with torch.no_grad():
        network.output_block[1].bias += 1
    assert np.array_equal(made(*inputs), before)


def test_wrong_requests_are_named(exp_dir, tmp_path, inputs, monkeypatch):
    with pytest.raises(ValueError, match="onnxruntime fp32$"):
        make_engine(exp_dir, "onnxruntime", "cpu", "bf16")
    with pytest.raises(ValueError, match="possible: torch fp32, torch bf16$"):
        make_engine(exp_dir, "torch", "cpu", "fp16")
    with pytest.raises(ValueError, match="backend 'tensorrt' is none of auto, torch"):
        make_engine(exp_dir, "tensorrt")
    with pytest.raises(ValueError, match="precision 'int8' is none of"):
        make_engine(exp_dir, precision="int8")
    with pytest.raises(ValueError, match="device 'tpu'"):
        make_engine(exp_dir, device="tpu")
    with pytest.raises(ValueError, match="not on 'cuda'"):
        make_engine(exp_dir, "openvino", "cuda")
    with pytest.raises(FileNotFoundError, match="gone"):
        make_engine(tmp_path / "gone")
    with pytest.raises(ValueError, match="holds a SyncNet"):
        make_engine(save_experiment(tmp_path / "syncnet", SyncNet(width=WIDTH), "syncnet"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(RuntimeError, match="no NVIDIA GPU"):
        make_engine(exp_dir, "torch", "cuda")
    monkeypatch.setattr(select, "_installed", lambda package: False)
    assert make_engine(exp_dir).name == "torch fp32"
    with pytest.raises(RuntimeError, match="pip install openvino"):
        make_engine(exp_dir, "openvino")
    made = TorchEngine(load_generator(exp_dir), generator_shapes(96), 4)
    for count in (0, 5):
        with pytest.raises(ValueError, match="B <= 4"):
            made(*(x[:count] for x in inputs))


def test_heavy_packages_are_imported_only_where_needed(exp_dir):
    code = """
import sys
import silvertalk.wav2lip, silvertalk.syncnet.windows, silvertalk.wav2lip.engine
assert "torch" not in sys.modules
from silvertalk.wav2lip import load_checkpoint
load_checkpoint(sys.argv[1])
assert "torch" in sys.modules and "lightning" not in sys.modules
"""
    succeeded(start(code, exp_dir))


@pytest.mark.recipe  # seconds
def test_threads_can_be_limited(exp_dir, cache, monkeypatch):
    possible("openvino", "fp32")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = make_engine(exp_dir, "openvino", "cpu", "fp32", cache_dir=cache)
    assert made._request.get_compiled_model().get_property("INFERENCE_NUM_THREADS") == 1
    assert os.environ["OMP_NUM_THREADS"] == "1"
