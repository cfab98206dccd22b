"""What is exported loads elsewhere and gives the same."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from silvertalk.bin.silvertalk import main
from silvertalk.engine.runtimes import import_openvino
from silvertalk.training.experiment import save_config
from silvertalk.wav2lip import QualityDiscriminator, SyncNet, Wav2Lip, export, load_checkpoint, save_checkpoint

WIDTH = 0.0625


def restless(network):
    """Give the batch norms statistics other than those they begin with."""
    torch.manual_seed(4)
    for name, buffer in network.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(-0.1 if name.endswith("mean") else 0.1, 0.3)
    return network.eval()


@pytest.fixture(scope="module", params=["wav2lip", "syncnet"])
def exp(request, tmp_path_factory):
    """An experiment with a small network, the network, and what it gives for three frames."""
    torch.manual_seed(3)
    task, folder = request.param, tmp_path_factory.mktemp(request.param)
    network = restless(Wav2Lip(192, WIDTH) if task == "wav2lip" else SyncNet(192, WIDTH))
    save_config(folder, {"task": task, "model": {"img_size": 192, "width": WIDTH}})
    save_checkpoint(folder / "latest.pth", network.state_dict())
    inputs = torch.rand(3, 1, 80, 16) * 8 - 4, torch.rand(3, 6, 192, 192)
    if task == "syncnet":
        inputs = inputs[0], torch.rand(3, 15, 96, 192)
    with torch.inference_mode():
        out = network(*inputs)
    out = [x.numpy() for x in (out if task == "syncnet" else (out,))]
    assert min(x.std() for x in out) > 1e-2
    return folder, network, [x.numpy() for x in inputs], out


def test_classic_file_is_what_the_published_scripts_read(exp, tmp_path):
    folder, network, _, _ = exp
    main(["export", "--model", str(folder), "--out", str(tmp_path / "x.pth")])
    content = torch.load(tmp_path / "x.pth")  # as their scripts do
    assert {"state_dict", "optimizer", "global_step", "global_epoch"} <= set(content)
    assert list(content["state_dict"]) == list(network.state_dict())
    network.__class__(192, WIDTH).load_state_dict(content["state_dict"])
    assert content["img_size"] == "192" and content["network"] == type(network).__name__
    loaded = load_checkpoint(tmp_path / "x.pth")
    assert (loaded.img_size, loaded.width) == (192, WIDTH)


def test_full_size_file_has_the_published_keys(goldens, tmp_path):
    save_checkpoint(tmp_path / "own.pth", Wav2Lip().half().state_dict())
    export.export_network(tmp_path / "own.pth", tmp_path / "x.pth", "wav2lip")
    state = torch.load(tmp_path / "x.pth", mmap=True)["state_dict"]
    manifest = json.loads((goldens / "Wav2Lip.keys.json").read_text())
    assert [[key, list(v.shape), str(v.dtype).removeprefix("torch.")] for key, v in state.items()] == manifest


def test_safetensors(exp, tmp_path):
    folder, network, _, _ = exp
    main(["export", "--model", str(folder), "--out", str(tmp_path / "x.safetensors"), "--format", "safetensors"])
    state = load_file(tmp_path / "x.safetensors")
    assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())
    loaded = load_checkpoint(tmp_path / "x.safetensors")
    assert type(loaded) is type(network) and loaded.img_size == 192 and loaded.width == WIDTH


def test_onnx(exp, tmp_path):
    folder, network, inputs, wanted = exp
    main(["export", "--model", str(folder), "--out", str(tmp_path / "x.onnx"), "--format", "onnx"])
    session = onnxruntime.InferenceSession(str(tmp_path / "x.onnx"), providers=["CPUExecutionProvider"])
    for frames in (1, 3):
        given = session.run(None, {"mel": inputs[0][:frames], "face": inputs[1][:frames]})
        for one, other in zip(given, wanted, strict=True):
            np.testing.assert_allclose(one, other[:frames], atol=1e-4)
    about = {entry.key: entry.value for entry in onnx.load(tmp_path / "x.onnx").metadata_props}
    assert about["network"] == type(network).__name__ and about["img_size"] == "192"
    assert [path.name for path in tmp_path.iterdir()] == ["x.onnx"]


@pytest.mark.recipe  # seconds
def test_openvino(exp, tmp_path):
    folder, network, inputs, wanted = exp
    main(["export", "--model", str(folder), "--out", str(tmp_path / "x.xml"), "--format", "openvino"])
    core = import_openvino().Core()
    model = core.read_model(tmp_path / "x.xml")
    assert model.get_rt_info(["silvertalk", "img_size"]).astype(str) == "192"
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for frames in (1, 3):
        given = compiled([x[:frames] for x in inputs]).values()
        for one, other in zip(given, wanted, strict=True):
            np.testing.assert_allclose(one, other[:frames], atol=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.bin", "x.xml"]


def test_what_is_not_exported(tmp_path, monkeypatch):
    judge, expert = tmp_path / "judge.pth", tmp_path / "expert.pth"
    save_checkpoint(judge, QualityDiscriminator(width=WIDTH).state_dict())
    save_checkpoint(expert, SyncNet(width=WIDTH).state_dict())
    export.export_network(judge, tmp_path / "judge.safetensors", "safetensors")
    with pytest.raises(ValueError, match=r"judge.pth: a QualityDiscriminator is for training only"):
        export.export_network(judge, tmp_path / "x.onnx", "onnx")
    with pytest.raises(ValueError, match="format 'tflite' is none of wav2lip, safetensors, onnx, openvino"):
        export.export_network(expert, tmp_path / "x.tflite", "tflite")
    with pytest.raises(ValueError, match=r"let the name end in .xml"):
        export.export_network(expert, tmp_path / "x.bin", "openvino")
    monkeypatch.setattr(export, "TOLERANCE", -1.0)  # a conversion that went wrong leaves nothing
    for form, name in (("onnx", "x.onnx"), ("openvino", "x.xml")):
        with pytest.raises(RuntimeError, match="gives something else than torch"):
            export.export_network(expert, tmp_path / name, form)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["expert.pth", "judge.pth", "judge.safetensors"]
