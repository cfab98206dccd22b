"""The published Wav2Lip's face detector, and the backend that uses it."""

import json

import numpy as np
import pytest
import torch
import torchvision

from silvertalk.face import make_backend, track_frames
from silvertalk.face.detect import s3fd as module
from silvertalk.face.detect.s3fd import S3FD, FaceDetector


@pytest.fixture(scope="module")
def weights(fill, tmp_path_factory):
    """The golden weights in a file."""
    path = tmp_path_factory.mktemp("s3fd") / "s3fd.pth"
    torch.save({key: torch.from_numpy(value) for key, value in fill.state("s3fd").items()}, path)
    return path


def test_keys_shapes_and_types_are_published_ones(goldens):
    with torch.device("meta"):
        state = S3FD().state_dict()
    manifest = json.loads((goldens / "s3fd.keys.json").read_text())
    assert [[key, list(v.shape), str(v.dtype).removeprefix("torch.")] for key, v in state.items()] == manifest


def test_detection_matches_golden(fill, goldens, weights, monkeypatch):
    golden = np.load(goldens / "s3fd.npz")
    images = np.floor(256 * fill.u("s3fd:images", 2 * 96 * 128 * 3)).astype(np.uint8).reshape(2, 96, 128, 3)
    assert fill.crc(images) == golden["crc_images"]
    detector, maps = FaceDetector(weights), []
    detector.network.register_forward_hook(lambda network, inputs, output: maps.extend(output))
    scores, nms = [], torchvision.ops.nms
    monkeypatch.setattr(torchvision.ops, "nms", lambda b, s, o: [scores.append(s.max()), nms(b, s, o)][1])
    boxes = detector(images[..., ::-1])  # they are BGR
    for index, given in enumerate(maps):
        wanted = golden[f"head{index:02}"]
        np.testing.assert_allclose(given.numpy(), wanted, atol=1e-4 * np.abs(wanted).max())
    assert sum(int((level.softmax(1)[:, 1] > 0.05).sum()) for level in maps[::2]) == golden["candidates_count"][0]
    assert [len(found) for found in boxes] == list(golden["final_count"])
    assert [list(found[0]) for found in boxes] == golden["first_box"].tolist()
    np.testing.assert_allclose(scores, golden["nms_scores"], rtol=1e-4)


def maps_of(boxes: dict) -> list[torch.Tensor]:
    """What the network would say of square boxes at the finest level: cell -> (score, x1 y1 x2 y2)."""
    maps = [torch.zeros(channels, 8, 8) for _ in range(6) for channels in (2, 4)]
    for logits in maps[::2]:
        logits[1] = -9
    for (row, column), (score, box) in boxes.items():
        x1, y1, x2, y2 = box
        centre = torch.tensor([x1 + x2, y1 + y2]) / 2 - 2 - 4 * torch.tensor([column, row])
        maps[0][1, row, column] = score
        maps[1][:, row, column] = torch.cat([centre / 1.6, torch.log(torch.tensor([x2 - x1, y2 - y1]) / 16) / 0.2])
    return maps


def test_best_of_what_overlaps_is_kept():
    # Of boxes 0 and 3, counted with both pixels of each side, 50 of 150 pixels are shared: more than 0.3.
    boxes = [[0, 0, 9, 9], [0, 1, 9, 10], [20, 20, 29, 29], [0, 5, 9, 14]]
    cells = [(0, 0), (0, 1), (5, 5), (2, 1)]

    def kept(*scores):
        found = zip(cells, zip(scores, boxes, strict=True), strict=True)
        return module._boxes([m + 1e-4 * (m != 0) for m in maps_of(dict(found))]).tolist()

    assert kept(8, 9, 6, 7) == [boxes[1], boxes[2]]
    assert kept(8, 0, 6, 7) == [boxes[0], boxes[2]]
    assert kept(-9, -9, 6, 7) == [boxes[3], boxes[2]]
    assert kept(-9, -9, -9, -9) == []


class Boxes:
    """A detector that finds what a person would draw around a face: from the hair to the chin."""

    def __init__(self, *arguments):
        dlib = make_backend("dlib")
        self.find = lambda rgb: dlib.landmarks(dlib.view(rgb), dlib.detect(dlib.view(rgb))[0])[:, :2]

    def __call__(self, pictures):
        points = self.find(pictures[0])
        low, high = points.min(axis=0), points.max(axis=0)
        return [np.array([[low[0], low[1] - 0.35 * (high - low)[1], *high]]).astype(int)]


def test_backend_places_landmarks_where_dlib_does(photo, weights, monkeypatch):
    monkeypatch.setenv("SILVERTALK_S3FD", str(weights))
    monkeypatch.setattr(module, "FaceDetector", Boxes)
    backend, dlib = make_backend("s3fd"), make_backend("dlib")
    big = np.ascontiguousarray(photo.repeat(4, axis=0).repeat(4, axis=1))  # more than is looked at
    for rgb in (photo, big):
        (box,) = backend.detect(backend.view(rgb))
        points = backend.landmarks(backend.view(rgb), box)
        wanted = dlib.landmarks(dlib.view(rgb), dlib.detect(dlib.view(rgb))[0])
        width = np.ptp(wanted[:, 0])
        assert points.shape == (68, 3) and np.abs(points - wanted).mean() < 0.01 * width
        assert (box[:2] <= wanted[:, :2].min(axis=0) + 2).all() and box[1] < wanted[:, 1].min() - 0.2 * width
    assert track_frames([photo] * 2, backend).detected.all()


def test_missing_and_wrong_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SILVERTALK_S3FD", str(tmp_path / "gone.pth"))
    with pytest.raises(FileNotFoundError, match=r"no weights of S3FD at .*gone.pth; name s3fd.pth .* SILVERTALK_S3FD"):
        make_backend("s3fd")
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "gone.pth")
    with pytest.raises(ValueError, match=r"gone.pth: is not a checkpoint of this S3FD: missing key 'conv1_1.weight'"):
        make_backend("s3fd")
    monkeypatch.delenv("SILVERTALK_S3FD")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"checkpoints/s3fd-619a316812.pth"):
        make_backend("s3fd")
