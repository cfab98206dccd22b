"""Samples are read row by row and fit together."""

import shutil

import numpy as np
import pytest
import torch

from silvertalk.makeittalk.drawing import draw_landmarks
from silvertalk.makeittalk.statistics import Statistics
from silvertalk.makeittalk.training import clips as clips_module
from silvertalk.makeittalk.training.clips import load_portrait_clips
from silvertalk.makeittalk.training.dataset import (
    HeldOutClips,
    LandmarkDataset,
    TranslationDataset,
    part_boxes,
    read_piece,
)
from silvertalk.media import read_window


@pytest.fixture(scope="module")
def clips(portrait_dump):
    return load_portrait_clips(portrait_dump / "tr_no_dev", 28)


@pytest.fixture(scope="module")
def statistics(portrait_dump):
    return Statistics.load(portrait_dump)


def all_kinds(clips, statistics):
    """Each dataset."""
    yield lambda seed: LandmarkDataset(clips, seed, statistics, "registered", 20, noise=0.1)
    yield lambda seed: LandmarkDataset(clips, seed, statistics, "landmarks", 20, step=3)
    yield lambda seed: TranslationDataset(clips, seed, 64, augment=True)


def test_samples_depend_on_index_alone(clips, statistics):
    for kind in all_kinds(clips, statistics):
        first, again, other = kind(5)[1234], kind(5)[1234], kind(5)[1235]
        assert all(torch.equal(first[k], again[k]) for k in first)
        assert any(not torch.equal(first[k], other[k]) for k in first)


def test_windows_begin_where_their_landmarks_are(clips, statistics):
    whole = read_piece(clips[0], 0, 40, statistics, "registered")
    part = read_piece(clips[0], 6, 12, statistics, "registered", step=4)
    assert whole["au"].shape == (40, 18, 80) and whole["landmarks"].shape == (40, 204) and part["au"].shape[0] == 3
    for name in ("au", "landmarks", "pose"):
        torch.testing.assert_close(part[name], whole[name][6:18:4])
    torch.testing.assert_close(whole["au"][3, 5], whole["au"][8, 0])  # neighbours overlap
    sound = clips[0].rows("content", 3, 1)[0]
    expected = (sound - statistics.au_mean) / statistics.au_std
    np.testing.assert_allclose(whole["au"][3, 0].numpy(), expected, atol=1e-5)


def test_face_at_rest_has_the_most_closed_mouth(clips):
    faces = clips[1].rows("registered", 0, clips[1].num_frames).reshape(-1, 68, 3)[::10]
    gaps = faces[:, 66, 1] - faces[:, 62, 1]
    np.testing.assert_array_equal(clips[1].face_at_rest(), faces[gaps.argmin()].ravel())


def test_control_is_another_clips_sound(clips, statistics):
    held_out = HeldOutClips(clips, statistics, "registered")
    item, following = held_out[0], held_out[1]
    count = len(item["control"])
    torch.testing.assert_close(item["control"], following["au"][:count])
    alone = HeldOutClips(clips[:1], statistics, "registered")[0]
    assert alone["control"].shape == alone["au"].shape and not torch.equal(alone["control"], alone["au"])


def test_no_more_rows_are_read_than_wanted(clips, statistics, monkeypatch):
    clips_module._face_at_rest.cache_clear()
    clips[0].face_at_rest()
    asked = []
    monkeypatch.setattr(clips_module, "read_rows", lambda place, a, b, read=clips_module.read_rows: asked.append(b - a)
                        or read(place, a, b))  # fmt: skip
    read_piece(clips[0], 4, 10, statistics, "registered")
    assert max(asked) == 27


def test_plain_pair_is_what_was_filmed(clips):
    item = TranslationDataset(clips, 0, 64).sample(clips[0], 2, 7)
    np.testing.assert_array_equal(item["target"].numpy(), read_window(clips[0].video, 7, 1)[0])
    np.testing.assert_array_equal(item["reference"].numpy(), read_window(clips[0].video, 2, 1)[0])
    points = clips[0].rows("picture_landmarks", 7, 1).reshape(68, 3)
    np.testing.assert_array_equal(item["drawing"].numpy(), draw_landmarks(points, 64))


def test_pictures_and_drawing_are_changed_alike(clips):
    """The clips' mouths are dark boxes: the drawn mouth has to lie on them, whatever was done."""
    dataset = TranslationDataset(clips, 3, 64, augment=True)
    mirrored = 0
    for index in range(12):
        item = dataset[index]
        x1, y1, x2, y2 = item["parts"][0].round().int().tolist()
        dark = np.argwhere(item["target"].numpy().max(-1) < 60)
        middle = dark.mean(axis=0)
        assert abs(middle[0] - (y1 + y2) / 2) < 3 and abs(middle[1] - (x1 + x2) / 2) < 3
        drawn = np.argwhere((np.abs(item["drawing"].numpy().astype(int) - (238, 130, 238)) < 3).all(-1))
        assert (np.abs(drawn.mean(axis=0) - middle) < 3).all()
        mirrored += middle[1] > 32  # it lies left of the middle
    assert 2 < mirrored < 10


def test_parts_are_cut_out_of_all_pictures_alike(clips):
    """Where the mouth is drawn the picture is dark, and nowhere else."""
    dataset = TranslationDataset(clips, 1, 64, crop=32)
    seen = 0
    for index in range(12):
        item = dataset[index]
        assert item["target"].shape == item["reference"].shape == item["drawing"].shape == (32, 32, 3)
        dark = item["target"].numpy().max(-1) < 60
        drawn = (np.abs(item["drawing"].numpy().astype(int) - (238, 130, 238)) < 3).all(-1)
        x1, y1, x2, y2 = item["parts"][0].round().int().clamp(0, 32).tolist()
        assert dark.sum() == dark[y1:y2, x1:x2].sum() and drawn.sum() == drawn[y1:y2, x1:x2].sum()
        seen += dark.any() and drawn.any()
    assert seen > 6


def test_stored_pictures_are_made_smaller(clips):
    full, small = (TranslationDataset(clips, 0, size).sample(clips[0], 0, 1) for size in (64, 32))
    assert small["target"].shape == (32, 32, 3)
    np.testing.assert_allclose(small["parts"], full["parts"] / 2, atol=1e-4)


@pytest.mark.parametrize("count", [68, 74])
def test_boxes_hold_mouth_and_eyes(count):
    points = np.random.default_rng(0).uniform(0, 9, (count, 2))
    points[-8:] += 100  # inner lips
    boxes = part_boxes(points)
    assert boxes.shape == (3, 4) and (boxes[0, :2] < boxes[0, 2:]).all() and boxes[0, 2] > 100 > boxes[1:, 2].max()


def test_missing_and_short_dumps_are_named(portrait_dump, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no .*content.scp; run stage 11$"):
        load_portrait_clips(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"picture_landmarks_74.scp; run stage 11 with --awing_weights"):
        load_portrait_clips(portrait_dump / "dev", num_points=74)
    with pytest.raises(RuntimeError, match="no clip has 5000 frames"):
        load_portrait_clips(portrait_dump / "dev", 5000)
    shutil.copytree(portrait_dump / "dev", tmp_path / "dev")
    lengths = (tmp_path / "dev" / "utt2num_frames").read_text().replace("60", "99")
    (tmp_path / "dev" / "utt2num_frames").write_text(lengths)
    clip = load_portrait_clips(tmp_path / "dev")[0]
    with pytest.raises(RuntimeError, match=f"{clip.utt_id}: 'content' has 60 rows, 81 are wanted"):
        clip.rows("content", 50, 31)
