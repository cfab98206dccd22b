"""Losses are the published ones."""

import json

import numpy as np
import pytest
import torch

from silvertalk.makeittalk.training.losses import (
    PerceptualLoss,
    VGG19Slices,
    content_loss,
    gradient_loss,
    laplacian,
    lip_weights,
    speaker_losses,
)
from silvertalk.training.learning import least_squares


@pytest.mark.parametrize(
    ("entry", "options"),
    [
        ("default", {}),
        ("no_lip_weight", {"lip_weight": False}),
        ("no_laplacian", {"laplacian": False}),
        ("motion", {"motion": True}),
    ],
)
def test_content_loss_and_its_gradient_are_the_published_ones(entry, options, golden, filled, inputs, constants):
    data, network = golden("training_losses"), filled("content")
    landmarks, au = map(torch.from_numpy, inputs.content_loss_batch(constants["std_face"]))
    face = torch.from_numpy(data["face"]).reshape(1, 204)
    with torch.enable_grad():
        network.requires_grad_(True)
        network.zero_grad()
        loss = content_loss(network(au, face) + face, landmarks[:, 0], **options)
        loss.backward()
    norm = torch.stack([p.grad.norm() for p in network.parameters()]).norm()
    np.testing.assert_allclose([loss.item(), norm.item()], data[f"content_{entry}"], rtol=1e-4)


def test_speaker_losses_are_the_published_ones(golden, inputs, constants):
    data = golden("training_losses")
    real, turn, quaternion = map(torch.from_numpy, inputs.speaker_loss_targets(constants["std_face"]))
    face, displacement, pose = (torch.from_numpy(data[name]) for name in ("face", "speaker_pred", "speaker_pos"))
    target_pose = torch.cat([quaternion[:, 0], turn[:, 0, :, 3]], 1)
    losses = speaker_losses(displacement + face.reshape(1, 204), real[:, 0], face, pose, target_pose)
    total = sum(losses.values())
    values = [total, losses["l1"], losses["laplacian"], losses["pose"]]
    np.testing.assert_allclose([float(x) for x in values], data["speaker_total_reg_lap_pos"], rtol=1e-5)
    right = speaker_losses(real[:, 0], real[:, 0])  # without the face once more, the truth costs nothing
    assert {name: float(x) for name, x in right.items()} == {"l1": 0.0, "laplacian": 0.0}


def test_neighbours_are_those_along_the_parts_of_the_face():
    points = torch.zeros(1, 68, 3)
    points[0, 40, 1] = 1.0
    moved = {k: float(x) for k, x in enumerate(laplacian(points)[0, :, 1]) if x}
    assert moved == {39: -0.5, 40: 1.0, 41: -0.5}
    points[0, 40, 1], points[0, 16, 1] = 0.0, 1.0  # an end: its one neighbour counts twice for it
    moved = {k: float(x) for k, x in enumerate(laplacian(points)[0, :, 1]) if x}
    assert moved == {15: -0.5, 16: 1.0}
    points[0, 16, 1], points[0, 15, 1] = 0.0, 1.0
    assert float(laplacian(points)[0, 16, 1]) == -1.0


def test_closed_lips_count_most():
    faces = torch.zeros(2, 68, 3)
    faces[1, 66, 1] = 0.1
    weights = lip_weights(faces)[:, :, 0]
    assert weights[:, :48].eq(1).all()
    assert weights[:, 48].tolist() == pytest.approx([10.0, 2.0])


def test_perceptual_and_style_loss_are_the_published_ones(golden, goldens, fill, inputs):
    data, vgg = golden("vgg_loss"), VGG19Slices()
    shapes = {key: list(value.shape) for key, value in vgg.state_dict().items()}
    manifest = json.loads((goldens / "vgg19_slices.keys.json").read_text())
    assert [[key, shape, "float32"] for key, shape in shapes.items()] == manifest
    names = {"features." + key.partition(".")[2]: shape for key, shape in shapes.items()}
    vgg.load_features({name: torch.from_numpy(fill.fill_array(name, shape)) for name, shape in names.items()})
    a, b = map(torch.from_numpy, inputs.vgg_pair())
    features, style = PerceptualLoss(vgg)(a, b)
    np.testing.assert_allclose([features, 3e7 * style], [data["loss_vgg"], data["loss_style"]], rtol=1e-4)
    maps = vgg(a)
    np.testing.assert_allclose([float(x.mean()) for x in maps], data["feat_means"], rtol=1e-4)
    assert [list(x.shape) for x in maps] == data["feat_shapes"].tolist()


def test_vgg_is_never_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match="vgg19-dcbb9e9d.pth: the perceptual loss needs torchvision's weights"):
        PerceptualLoss()


def test_edges_are_compared():
    flat, step = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    step[..., 2:] = 1.0
    assert gradient_loss(flat, flat + 0.5) == 0
    assert float(gradient_loss(step, flat)) == pytest.approx(1 / 3)  # one of three steps to the right
    weight = torch.ones(1, 1, 4, 4)
    weight[..., 2] = 4.0
    assert float(gradient_loss(step, flat, weight)) == pytest.approx(4 / 6)


def test_least_squares():
    assert float(least_squares(torch.tensor([[1.0], [3.0]]), 1.0)) == 2.0
