"""Statistics that training and the portrait share."""

import dataclasses

import numpy as np
import pytest

from silvertalk.face.detect.depth import mean_face
from silvertalk.makeittalk.geometry import ANCHORS
from silvertalk.makeittalk.statistics import (
    NAME,
    UPSTREAM,
    Statistics,
    compute_statistics,
    mean_face_statistics,
    normalise_clip,
)


@pytest.fixture
def statistics():
    return mean_face_statistics(np.linspace(-1, 1, 256))


def test_saved_statistics_are_read_from_file_and_folder(statistics, tmp_path):
    statistics.save(tmp_path / NAME)
    for place in (tmp_path, tmp_path / NAME):
        for name, value in dataclasses.asdict(Statistics.load(place)).items():
            np.testing.assert_array_equal(value, getattr(statistics, name))


def test_what_is_no_statistics_is_refused(statistics, tmp_path):
    with pytest.raises(FileNotFoundError, match="run stage 11"):
        Statistics.load(tmp_path)
    (tmp_path / NAME).write_bytes(b"PK no")
    with pytest.raises(ValueError, match=NAME):
        Statistics.load(tmp_path)
    with pytest.raises(ValueError, match=r"au_mean .* \(79,\), not \(80,\)"):
        dataclasses.replace(statistics, au_mean=np.zeros(79))
    with pytest.raises(ValueError, match="no numbers"):
        dataclasses.replace(statistics, std_face=np.full((68, 3), np.nan))
    with pytest.raises(ValueError, match="not positive"):
        dataclasses.replace(statistics, au_std=np.zeros(80))


def test_normalised_face_has_the_published_frame():
    points = mean_face() * 3 + [200, 100, 0]
    face = normalise_clip(np.stack([points, points + [30, 0, 0]]))
    np.testing.assert_allclose(face[:, 16, 0] - face[:, 0, 0], 1.6)
    np.testing.assert_allclose((face[:, 0] + face[:, 16])[..., :2].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(face[1] - face[0], np.tile([30 * 1.6 / (3 * 142), 0, 0], (68, 1)), atol=1e-12)
    assert np.linalg.norm(face[0, 45] - face[0, 36]) == pytest.approx(1, abs=0.02)  # units of head_pose
    assert face[0, 30, 2] > face[0, 36, 2] > face[0, 0, 2]


def test_published_standard_face_is_in_that_frame(constants):
    face = constants["std_face"]
    assert face[16, 0] - face[0, 0] == pytest.approx(1.6, abs=0.05)
    assert np.abs(normalise_clip(face[None])[0] - face).max() < 0.06
    ours = mean_face_statistics(np.zeros(256)).std_face
    assert np.abs(ours - face).max() < 0.3 and np.sqrt(((ours - face) ** 2).mean()) < 0.12


def test_statistics_are_those_of_all_frames(portrait_dump, tmp_path):
    import kaldiio

    folder = portrait_dump / "tr_no_dev"
    result = compute_statistics(folder, np.ones(256))
    content = np.concatenate(list(kaldiio.load_scp(str(folder / "content.scp")).values()))
    faces = np.concatenate(list(kaldiio.load_scp(str(folder / "registered.scp")).values())).reshape(-1, 68, 3)
    np.testing.assert_allclose(result.au_mean, content.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(result.au_std, content.std(axis=0), atol=1e-4)
    np.testing.assert_allclose(result.std_face, faces.mean(axis=0), atol=1e-5)
    np.testing.assert_array_equal(result.anchor_t_shape, result.std_face[ANCHORS])
    whitened = result.normalise(content)
    np.testing.assert_allclose([whitened.mean(), whitened.std()], [0, 1], atol=1e-3)
    with pytest.raises(FileNotFoundError, match=r"content.scp; run stage 11"):
        compute_statistics(tmp_path, np.ones(256))


@pytest.fixture
def upstream(statistics, tmp_path):
    """A stand-in for a copy of the published code."""
    numbers = {
        "au_mean": np.concatenate([np.arange(80), np.arange(1, 81)]),
        "std_face": statistics.std_face.ravel(),
        "anchor_t_shape": statistics.anchor_t_shape,
        "target_embedding": statistics.target_embedding,
    }
    for name, values in numbers.items():
        (tmp_path / UPSTREAM[name]).parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(tmp_path / UPSTREAM[name], values)
    return tmp_path


def test_published_files_are_read(upstream, statistics):
    result = Statistics.load(upstream)
    np.testing.assert_array_equal(result.au_mean, np.arange(80))
    np.testing.assert_array_equal(result.au_std, np.arange(1, 81))
    np.testing.assert_allclose(result.std_face, statistics.std_face, atol=1e-6)
    np.testing.assert_allclose(result.anchor_t_shape, statistics.anchor_t_shape, atol=1e-6)


def test_damaged_published_files_are_named(upstream):
    path = upstream / UPSTREAM["anchor_t_shape"]
    path.write_text("1 2 3")
    with pytest.raises(ValueError, match=r"holds 3 numbers, not 27 \(9, 3\)"):
        Statistics.from_upstream(upstream)
    path.write_text("<html>")
    with pytest.raises(ValueError, match=path.name):
        Statistics.from_upstream(upstream)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=path.name):
        Statistics.from_upstream(upstream)
