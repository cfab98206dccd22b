"""The image translation draws the published frames, with every backend."""

import numpy as np
import pytest
import torch

from silvertalk.engine.model import Model, psnr
from silvertalk.makeittalk.checkpoint import save_checkpoint
from silvertalk.makeittalk.drawing import draw_landmarks
from silvertalk.makeittalk.networks import ContentBranch, ImageTranslation
from silvertalk.makeittalk.portrait.translate import check_inputs, make_engine, to_input, to_picture, translation_model
from silvertalk.training.experiment import save_config

CPU = {"device": "cpu", "backend": "torch", "precision": "fp32", "batch_size": 3}


@pytest.fixture(scope="module")
def small():
    """A small network that draws something."""
    torch.manual_seed(0)
    network = ImageTranslation(ngf=4).train()
    with torch.no_grad():
        network.model.model[-1].weight *= 20
        for _ in range(5):  # statistics of the batch norms
            network(torch.from_numpy(check_inputs({"picture": (6, 64, 64)})[0]))
    return network.eval()


def test_published_frame(filled, golden, inputs):
    frames = golden("image_translation_frames")
    engine = make_engine(filled("image_translation"), **CPU | {"batch_size": 1})
    given = to_input(draw_landmarks(frames["fls"][0].reshape(68, 3)), inputs.gradient_jpg())
    drawn = to_picture(engine(given[None])[0])
    assert np.abs(drawn.astype(int) - frames["frame0_middle"]).max() <= 2


def test_check_inputs_show_a_face_on_a_portrait():
    (given,) = check_inputs({"picture": (6, 128, 128)})
    assert given.shape == (3, 6, 128, 128) and given.dtype == np.float32 and 0 <= given.min() < given.max() <= 1
    drawn = (given[:, :3] < 0.9).any(axis=1)  # lines on white
    assert all(0.005 < line.mean() < 0.6 for line in drawn) and (drawn[0] != drawn[1]).any()
    assert given[:, 3:].std() > 0.2 and (given[0, 3:] == given[1, 3:]).all()


def test_size_of_an_experiment(small, tmp_path):
    save_config(tmp_path, {"task": "makeittalk_translation", "model": {"ngf": 4}, "data": {"img_size": 128}})
    save_checkpoint(tmp_path / "latest.pth", small)
    for source, asked, size in ((tmp_path, None, 128), (tmp_path / "latest.pth", None, 128), (tmp_path, 192, 192)):
        assert make_engine(source, asked, **CPU).img_size == size
    assert make_engine(small, **CPU).img_size == 256
    told = translation_model(tmp_path)
    assert Model.from_json(told.to_json()) == told and told.options["num_downs"] == 6
    given = check_inputs(told.shapes)[0]
    drawn = make_engine(tmp_path, **CPU)(given)
    assert drawn.std() > 0.05 and np.array_equal(drawn, make_engine(small, 128, **CPU)(given))
    with pytest.raises(ValueError, match="portraits of 100 pixels .* multiples of 64"):
        make_engine(tmp_path, 100, **CPU)


def test_other_networks_are_refused(small, tmp_path):
    save_checkpoint(tmp_path / "content.pth", ContentBranch(hidden_size=8))
    with pytest.raises(ValueError, match="content.pth holds a ContentBranch, not a"):
        make_engine(tmp_path / "content.pth")
    with pytest.raises(ValueError, match="takes 7 channels"):
        make_engine(ImageTranslation(in_channels=7, ngf=4))


WAYS = [("openvino", "fp32"), ("openvino", "bf16"), ("onnxruntime", "fp32")]


@pytest.mark.recipe  # seconds: conversions
@pytest.mark.parametrize(("backend", "precision"), WAYS)
def test_backends_draw_what_torch_draws(small, tmp_path, backend, precision):
    save_checkpoint(tmp_path / "t.pth", small)
    given = check_inputs({"picture": (6, 128, 128)})[0]
    wanted = make_engine(small, 128, **CPU)(given)
    try:
        engine = make_engine(tmp_path / "t.pth", 128, **CPU | {"backend": backend, "precision": precision})
    except ValueError as error:
        pytest.skip(str(error))
    assert psnr(engine(given), wanted) >= 40 > psnr(wanted[::-1], wanted)
