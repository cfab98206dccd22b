"""Face parsing, by networks small enough to be written down here."""

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from silvertalk.face.restore.parsing import CLASSES, MEAN, PATTERNS, SIZE, STD, FaceParser, changeable, find_parser

# The test network knows every class by a colour of its own.
COLOURS = (
    np.random.default_rng(3)
    .permutation(np.stack(np.meshgrid([0, 127, 255], [0, 127, 255], [0, 127, 255]), -1).reshape(-1, 3))[: len(CLASSES)]
    .astype(np.uint8)
)


def save_network(path: Path, size=SIZE, classes=len(CLASSES), auxiliary=False) -> Path:
    """A network whose logit of class c is minus the squared distance from its colour, up to what is common to all.

    -|x - c|^2 = 2 x c - |c|^2 - |x|^2, so one 1 x 1 convolution does it.
    """
    colours = np.resize((COLOURS / np.float32(255) - MEAN) / STD, (classes, 3)).astype(np.float32)
    scale = 50.0  # makes the softmax hard
    initialisers = [
        numpy_helper.from_array(scale * 2 * colours[:, :, None, None], "w"),
        numpy_helper.from_array(-scale * (colours**2).sum(1), "b"),
    ]
    nodes = [helper.make_node("Conv", ["input", "w", "b"], ["output"])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", classes, size, size])]
    if auxiliary:
        nodes.append(helper.make_node("Neg", ["output"], ["aux"]))
        outputs.append(helper.make_tensor_value_info("aux", TensorProto.FLOAT, ["batch", classes, size, size]))
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, size, size])]
    graph = helper.make_graph(nodes, "colours", inputs, outputs, initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def painted(regions: dict[str, tuple[slice, slice]], size: int = SIZE) -> np.ndarray:
    """A picture with rectangles in the colours of classes, the later ones on top."""
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = COLOURS[0]
    for name, region in regions.items():
        picture[region] = COLOURS[CLASSES.index(name.split("-")[0])]
    return picture


FACE = {
    "neck": (slice(400, 512), slice(150, 362)),
    "skin": (slice(60, 440), slice(100, 412)),
    "hair": (slice(0, 60), slice(80, 432)),
    "hair-side": (slice(60, 400), slice(80, 130)),
    "eye_g": (slice(150, 200), slice(140, 372)),
    "nose": (slice(180, 280), slice(230, 282)),
    "u_lip": (slice(320, 335), slice(200, 312)),
    "mouth": (slice(335, 350), slice(200, 312)),
    "l_lip": (slice(350, 370), slice(200, 312)),
    "cloth": (slice(490, 512), slice(0, 512)),
    "background-hand": (slice(300, 420), slice(320, 380)),
}


@pytest.fixture(scope="module")
def parser(tmp_path_factory):
    return FaceParser(save_network(tmp_path_factory.mktemp("onnx") / "face_parsing.onnx"))


def test_classes_in_the_published_order():
    published = {0: "background", 1: "skin", 6: "eye_g", 10: "nose", 11: "mouth", 12: "u_lip", 13: "l_lip", 14: "neck"}
    assert len(CLASSES) == len(set(CLASSES)) == 19
    assert {i: CLASSES[i] for i in published} == published and CLASSES[-2:] == ("hair", "hat")


def test_network_gets_rgb_of_imagenet_statistics(parser):
    for number, name in enumerate(CLASSES):
        probabilities = parser.probabilities(painted({name: (slice(None), slice(None))}, 64))
        assert probabilities.shape == (19, SIZE, SIZE) and probabilities.dtype == np.float32
        assert probabilities[:, 100, 100].argmax() == number
    assert np.allclose(probabilities.sum(axis=0), 1, atol=1e-5)


def test_what_a_mouth_may_change(parser):
    mask = parser(painted(FACE))
    assert mask.shape == (SIZE, SIZE) and mask.dtype == np.float32 and mask.min() >= 0 and mask.max() <= 1
    for y, x in ((327, 250), (342, 250), (360, 250), (310, 256), (400, 200), (435, 256), (350, 150)):
        assert mask[y, x] > 0.95, (y, x)  # lips, mouth, skin around and below
    # Forehead, brow of glasses, nose, cheek beside it, hair, hand before the cheek, cloth, background.
    for y, x in (
        (100, 256),
        (170, 200),
        (250, 256),
        (250, 200),
        (30, 256),
        (350, 100),
        (350, 350),
        (500, 256),
        (10, 10),
    ):
        assert mask[y, x] < 0.05, (y, x)
    # The neck along the chin, and further down.
    assert mask[445, 256] > 0.95 and mask[480, 256] < 0.05
    column = mask[440:480, 256]
    assert (np.diff(column) <= 1e-6).all()


@pytest.mark.parametrize("size", [96, 512, 700])
def test_mask_has_the_size_of_the_face(parser, size):
    import cv2

    face = cv2.resize(painted(FACE), (size, size), interpolation=cv2.INTER_NEAREST)
    mask = parser(face)
    assert mask.shape == (size, size)
    assert (
        np.abs(cv2.resize(mask, (64, 64), interpolation=cv2.INTER_AREA) - parser.mask(painted(FACE), 64)).mean() < 0.03
    )


def test_without_a_nose_the_lower_half_counts(parser):
    mask = parser(painted({"skin": (slice(None), slice(None))}))
    assert mask[: SIZE // 2].max() == 0 and mask[SIZE // 2 + 20 :].min() > 0.95


def test_without_a_face_nothing_changes(parser):
    assert parser(painted({"neck": (slice(200, 512), slice(None))})).max() < 0.05
    assert changeable(np.eye(19, dtype=np.float32)[0][:, None, None] * np.ones((1, 8, 8), np.float32)).max() == 0


def test_auxiliary_outputs_do_not_matter(tmp_path, parser):
    other = FaceParser(save_network(tmp_path / "bisenet.onnx", auxiliary=True))
    np.testing.assert_array_equal(other(painted(FACE)), parser(painted(FACE)))


def test_other_networks_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"small.onnx: .*'batch', 19, 256, 256.*expected .*\(1, 19, 512, 512\)"):
        FaceParser(save_network(tmp_path / "small.onnx", size=256))
    with pytest.raises(ValueError, match="eleven.onnx: is no face-parsing network for 19 classes"):
        FaceParser(save_network(tmp_path / "eleven.onnx", classes=11))
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="broken.onnx: cannot be loaded as an ONNX network"):
        FaceParser(tmp_path / "broken.onnx")


def test_missing_file_says_what_is_looked_for(tmp_path):
    for path in (None, tmp_path / "no.onnx"):
        with pytest.raises(FileNotFoundError, match="bisenet.*yakhyo/face-parsing.*landmarks"):
            FaceParser(path)


@pytest.mark.parametrize("face", [np.zeros((64, 32, 3), np.uint8), np.zeros((64, 64, 3)), np.zeros((64, 64), np.uint8)])
def test_wrong_picture(parser, face):
    with pytest.raises(ValueError, match="uint8 RGB"):
        parser(face)


def test_finds_the_file(tmp_path):
    assert find_parser(tmp_path) is None and find_parser(tmp_path / "nowhere") is None and find_parser(None) is None
    (tmp_path / "a").mkdir()
    for name in ("generator.onnx", "face_parsing.pth"):
        (tmp_path / "a" / name).touch()
    assert find_parser(tmp_path) is None
    for name in ("resnet34.onnx", "FaceParser.onnx", "BiSeNet_resnet_34.onnx", "face-parsing.onnx"):
        (tmp_path / "a" / name).touch()
        assert find_parser(tmp_path).name == name


def test_the_environment_table_looks_for_the_same_files():
    tool = Path(__file__).resolve().parents[3] / "tools" / "check_env.py"
    spec = importlib.util.spec_from_file_location("check_env", tool)
    check_env = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check_env)
    assert PATTERNS in [weights.names for weights in check_env.USER_WEIGHTS]
