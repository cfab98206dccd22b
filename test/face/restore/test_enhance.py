"""Face restoration: finding and loading weights, alignment, and putting the face back."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from silvertalk.face.restore import enhance
from silvertalk.face.restore.enhance import (
    SIZE,
    TEMPLATE,
    Enhancer,
    align_for_restoration,
    find_weights,
    five_points,
    from_template,
    load_network,
    make_enhancer,
    restoration_box,
    to_template,
)


def face_landmarks(matrix: np.ndarray) -> np.ndarray:
    """68 landmarks whose five points are the template's, moved by a (2, 3) matrix; all others lie at the nose."""
    points = np.tile(TEMPLATE[2], (68, 1))
    points[36:42], points[42:48], points[48], points[54] = TEMPLATE[0], TEMPLATE[1], TEMPLATE[3], TEMPLATE[4]
    return points @ matrix[:, :2].T + matrix[:, 2]


def turned(degrees: float, scale: float, dx: float, dy: float) -> np.ndarray:
    a, b = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[a, -b, dx], [b, a, dy]])


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)


@pytest.fixture
def landmarks():
    """A face of half the template's size, in a picture of 200 x 200."""
    return face_landmarks(turned(5, 0.3, 30, 10))


@pytest.fixture
def inverting():
    """A network whose restored face nobody mistakes for the given one."""
    return lambda x: 1 - x


def save_restoreformer(path: Path, **changed) -> Path:
    """A file as published, but of a network with few channels and random weights."""
    from spandrel.architectures.RestoreFormer import RestoreFormer

    torch.manual_seed(0)
    small = {"n_embed": 8, "embed_dim": 32, "ch": 32, "ch_mult": (1, 1, 1, 1, 1, 1), "num_res_blocks": 1}
    model = RestoreFormer(**(small | {"z_channels": 32} | changed))
    torch.save({"params": model.state_dict()}, path)
    return path


def save_dncnn(path: Path, channels: int = 3) -> Path:
    """A small network of spandrel's that restores pictures."""
    from safetensors.torch import save_file
    from spandrel.architectures.DnCNN import DnCNN

    torch.manual_seed(0)
    save_file(DnCNN(in_nc=channels, out_nc=channels, nc=4, nb=17, act_mode="R").state_dict(), path)
    return path


def test_needs_no_torch_to_be_imported():
    code = "import sys, silvertalk.face.restore.enhance, silvertalk.face.restore.parsing as p; "
    code += "sys.exit(any(m in sys.modules for m in ('torch', 'spandrel', 'onnxruntime')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Alignment.


@pytest.mark.parametrize("move", [(0, 1, 0, 0), (30, 0.5, 20, -10), (-15, 2.5, -400, 80)])
def test_alignment_undoes_a_move(move):
    landmarks = face_landmarks(turned(*move))
    matrix = align_for_restoration(np.column_stack([landmarks, np.zeros(68)]))
    aligned = five_points(landmarks) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(aligned, TEMPLATE, atol=1e-6)


def test_alignment_undoes_the_squeeze_of_a_box():
    width, height = 300.0, 360.0
    landmarks = face_landmarks(turned(8, 0.7, 10, 5))
    squeezed = landmarks * [SIZE / width, SIZE / height]
    matrix = align_for_restoration(squeezed, aspect=height / width)
    np.testing.assert_allclose(five_points(squeezed) @ matrix[:, :2].T + matrix[:, 2], TEMPLATE, atol=1e-6)
    # Without the aspect the mouth is some pixels off.
    matrix = align_for_restoration(squeezed)
    assert np.abs(five_points(squeezed) @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE).max() > 5


def test_alignment_is_the_least_squares_one_and_never_mirrors():
    cv2 = pytest.importorskip("cv2")
    points = TEMPLATE + np.random.default_rng(1).normal(0, 10, (5, 2))
    landmarks = np.zeros((68, 2))
    landmarks[36:42], landmarks[42:48], landmarks[30], landmarks[48], landmarks[54] = points
    matrix = align_for_restoration(landmarks)
    assert np.linalg.det(matrix[:, :2]) > 0

    def error(m):
        return ((points @ m[:, :2].T + m[:, 2] - TEMPLATE) ** 2).sum()

    other = cv2.estimateAffinePartial2D(points, TEMPLATE, method=cv2.LMEDS)[0]
    assert error(matrix) <= error(other) + 1e-9


@pytest.mark.parametrize("value", [0.0, 100.0, np.nan])
def test_landmarks_on_one_spot_are_refused(value):
    with pytest.raises(ValueError, match="one spot"):
        align_for_restoration(np.full((68, 2), value))


def test_real_face_lies_in_the_template(photo):
    from silvertalk.face import make_backend

    backend = make_backend("dlib")
    view = backend.view(photo)
    landmarks = backend.landmarks(view, backend.detect(view)[0])
    matrix = align_for_restoration(landmarks)
    aligned = five_points(landmarks[:, :2]) @ matrix[:, :2].T + matrix[:, 2]
    # The astronaut is turned and smiles; eyes and mouth still lie within a fifth of the eyes' distance.
    assert np.abs(aligned - TEMPLATE).max() < 25
    x1, y1, x2, y2 = restoration_box(landmarks)
    assert x2 - x1 == pytest.approx(y2 - y1) and x1 < landmarks[:, 0].min() and y2 > landmarks[:, 1].max()


def test_box_shows_the_whole_template():
    box = restoration_box(face_landmarks(turned(0, 0.5, 40, 60)))
    np.testing.assert_allclose(box, [40, 60, 40 + SIZE / 2, 60 + SIZE / 2], atol=1e-6)


def test_there_and_back_again(landmarks):
    y, x = np.mgrid[:200, :200]
    smooth = np.stack([x, y, 200 - x], -1).astype(np.uint8)
    matrix = align_for_restoration(landmarks)
    back, mask = from_template(to_template(smooth, matrix).astype(np.float32), matrix, (200, 200))
    assert mask.max() == 1 and mask.min() == 0
    assert np.abs(back - smooth)[mask > 0.9].max() <= 1.5


# Restoring.


def test_restores_within_the_template_only(noise, landmarks, inverting):
    given = noise.copy()
    result = Enhancer(inverting).restore(noise, landmarks)
    assert result.dtype == np.uint8 and result.shape == noise.shape
    np.testing.assert_array_equal(noise, given)
    mask = from_template(np.zeros((SIZE, SIZE, 3), np.float32), align_for_restoration(landmarks), (200, 200))[1]
    assert 0.3 < (mask == 0).mean() < 0.9
    np.testing.assert_array_equal(result[mask == 0], noise[mask == 0])
    inside = mask == 1
    assert np.corrcoef(result[inside].ravel(), noise[inside].ravel())[0, 1] < -0.8


@pytest.mark.parametrize("blend", [0.25, 0.5])
def test_blend_mixes(noise, landmarks, inverting, blend):
    full = Enhancer(inverting).restore(noise, landmarks).astype(float)
    mixed = Enhancer(inverting, blend).restore(noise, landmarks)
    assert np.abs(mixed - (noise + blend * (full - noise))).max() <= 1


def test_blend_of_nothing_is_the_face_itself(noise, landmarks, inverting):
    enhancer = Enhancer(inverting, 0.0)
    np.testing.assert_array_equal(enhancer.restore(noise, landmarks), noise)
    large = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    np.testing.assert_array_equal(enhancer(large), large)


def test_call_takes_any_size_and_keeps_the_channels_apart(inverting):
    face = np.full((96, 96, 3), (10, 100, 250), np.uint8)
    result = Enhancer(inverting)(face)
    assert result.shape == (SIZE, SIZE, 3) and result.dtype == np.uint8
    np.testing.assert_array_equal(result[5, 5], (245, 155, 5))


def test_network_that_enlarges(noise, landmarks):
    enhancer = Enhancer(lambda x: torch.nn.functional.interpolate(x, scale_factor=2))
    assert enhancer(noise).shape == (2 * SIZE, 2 * SIZE, 3)
    assert np.abs(enhancer.restore(noise, landmarks).astype(int) - noise)[90:110, 90:110].mean() < 20


@pytest.mark.parametrize("blend", [-0.1, 1.5])
def test_blend_out_of_range(inverting, blend):
    with pytest.raises(ValueError, match=r"not in \[0, 1\]"):
        Enhancer(inverting, blend)


def test_wrong_picture(landmarks, inverting):
    with pytest.raises(ValueError, match="float64"):
        Enhancer(inverting).restore(np.zeros((64, 64, 3)), landmarks)


# Weights.


def test_file_of_restoreformer_is_loaded_and_run(tmp_path, noise, landmarks):
    folder = tmp_path / "some" / "folder"
    folder.mkdir(parents=True)
    save_restoreformer(folder / "RestoreFormer.pth")
    enhancer = make_enhancer(tmp_path)
    assert enhancer.name == "RestoreFormer.pth"
    result = enhancer.restore(noise, landmarks)
    assert result.shape == noise.shape and (result != noise).any()


def test_file_named_by_the_caller(tmp_path, noise):
    save_dncnn(tmp_path / "mine.safetensors")
    assert make_enhancer(tmp_path, "mine.safetensors", blend=0.5)(noise).shape == (SIZE, SIZE, 3)


def test_networks_of_signed_range_get_and_give_it(tmp_path, monkeypatch):
    seen = {}

    def model(x, **options):
        seen.update(options, low=x.min().item(), high=x.max().item())
        return x, None

    descriptor = SimpleNamespace(
        purpose="FaceSR",
        input_channels=3,
        output_channels=3,
        architecture=SimpleNamespace(id="GFPGAN", name="GFPGAN"),
        model=model,
        eval=lambda: None,
    )
    monkeypatch.setattr(enhance, "_load_descriptor", lambda path, device: descriptor)
    x = torch.linspace(0, 1, 12).reshape(1, 3, 2, 2)
    torch.testing.assert_close(load_network(tmp_path / "x.pth")(x), x)
    assert (seen["low"], seen["high"]) == (-1, 1) and seen["randomize_noise"] is False


def test_order_of_preference(tmp_path):
    names = ["codeformer.pth", "RestoreFormer.pth", "GFPGANv1.pth", "GFPGANv1.3.pth", "gfpganv1.4.safetensors"]
    (tmp_path / "codeformer_inpainting.pth").touch()
    (tmp_path / "gfpgan_1.4.onnx").touch()
    for name in names:
        (tmp_path / name).touch()
        assert find_weights(tmp_path).name == name
    assert find_weights(tmp_path, "codeformer").name == "codeformer.pth"
    assert find_weights(tmp_path, "restoreformer").name == "RestoreFormer.pth"


@pytest.mark.parametrize("name", ["auto", "mine.pth"])
def test_missing_weights_say_where_they_come_from(tmp_path, name):
    for folder in (tmp_path, tmp_path / "nowhere", None):
        with pytest.raises(FileNotFoundError) as error:
            make_enhancer(folder, name)
        for word in ("GFPGANv1.4.pth", "TencentARC/GFPGAN", "sczhou/CodeFormer", "non-commercial", "'improved'"):
            assert word in str(error.value)


def test_only_the_asked_network_is_mentioned(tmp_path):
    (tmp_path / "GFPGANv1.4.pth").touch()
    with pytest.raises(FileNotFoundError, match="codeformer.pth") as error:
        make_enhancer(tmp_path, "codeformer")
    assert "RestoreFormer" not in str(error.value)


def test_unknown_network(tmp_path):
    with pytest.raises(ValueError, match="resshift.*gfpgan, restoreformer, codeformer"):
        make_enhancer(tmp_path, "resshift")


def test_broken_and_foreign_files_are_named_with_the_reason(tmp_path):
    path = tmp_path / "GFPGANv1.4.pth"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError, match=r"GFPGANv1.4.pth: cannot be loaded .*: UnpicklingError"):
        make_enhancer(tmp_path)
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"GFPGANv1.4.pth: cannot be loaded .*no network that spandrel"):
        make_enhancer(tmp_path)
    # Another size of GFPGAN than the published one.
    torch.save({"toRGB.0.weight": torch.zeros(3), "stylegan_decoder.style_mlp.1.weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"GFPGANv1.4.pth: cannot be loaded .*Missing key"):
        make_enhancer(tmp_path)


def test_other_kinds_of_network_are_refused(tmp_path):
    save_dncnn(tmp_path / "grey.safetensors", channels=1)
    with pytest.raises(ValueError, match=r"grey.safetensors: holds DnCNN.*1 channels in"):
        make_enhancer(tmp_path, "grey.safetensors")
    from spandrel.architectures.Compact import Compact

    torch.save(Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=2).state_dict(), tmp_path / "x2.pth")
    with pytest.raises(ValueError, match="x2.pth: holds .*a network for SR"):
        make_enhancer(tmp_path, "x2.pth")


@pytest.mark.skipif(importlib.util.find_spec("spandrel_extra_arches") is not None, reason="the package is installed")
def test_codeformer_without_its_package(tmp_path):
    torch.save({"position_emb": torch.zeros(1), "idx_pred_layer.1.weight": torch.zeros(1)}, tmp_path / "codeformer.pth")
    with pytest.raises(ValueError, match="pip install spandrel_extra_arches.*non-commercial"):
        make_enhancer(tmp_path)


def test_the_environment_table_looks_for_the_same_files(tmp_path):
    tool = Path(__file__).resolve().parents[3] / "tools" / "check_env.py"
    spec = importlib.util.spec_from_file_location("check_env", tool)
    check_env = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check_env)
    groups = {weights.title.lower(): weights.names for weights in check_env.USER_WEIGHTS}
    (tmp_path / "deep").mkdir()
    for network in enhance.NETWORKS:
        assert not list(check_env.files_named(tmp_path, groups[network.name]))
        (tmp_path / "deep" / network.example).touch()
        found = list(check_env.files_named(tmp_path, groups[network.name]))
        assert found == [find_weights(tmp_path, network.name)]
