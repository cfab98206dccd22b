"""Puppet folders: the published formulas, reading, checking, making."""

import importlib.util
import logging
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from silvertalk.face import make_backend
from silvertalk.makeittalk.cartoon import puppet_editor
from silvertalk.makeittalk.cartoon.puppet import (
    Puppet,
    bound_points,
    close_mouth,
    find_landmarks,
    make_puppet,
    mean_depth,
    mean_landmarks,
    read_points,
    triangulate,
)
from silvertalk.makeittalk.cartoon.puppet_editor import make_puppet_folder

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "egs" / "cartoon" / "counsellor"


@pytest.fixture(scope="module")
def golden():
    return np.load(ROOT / "test" / "goldens" / "makeittalk" / "cartoon_puppet.npz")


@pytest.fixture(scope="module")
def dlib_backend():
    return make_backend("dlib")


def as_set(triangles):
    return {tuple(sorted(triangle)) for triangle in triangles.tolist()}


def test_tables_are_the_published_ones(golden):
    picture = np.zeros((*golden["image_hw"], 4), np.uint8)
    points, norm = golden["face_open_mouth"], golden["face_open_mouth_norm"]
    puppet = make_puppet("x", picture, points, norm[:, 2])
    assert np.allclose(puppet.norm, norm, atol=5.1e-5)  # stored with four decimals
    assert np.allclose([puppet.scale, *puppet.shift], golden["scale_shift"], atol=1e-9)
    assert np.allclose(close_mouth(puppet.norm), golden["face_close_mouth"], atol=5.1e-5)
    assert (puppet.closed == close_mouth(puppet.norm)).all()
    assert bound_points(*picture.shape[:2]).ravel().tolist() == golden["bound"].ravel().tolist()
    assert as_set(puppet.triangles) == as_set(golden["triangles"]) and not puppet.inner_lip
    inner = make_puppet("x", picture, points, norm[:, 2], inner_lip=True)
    assert as_set(inner.triangles) == as_set(golden["triangles_inner_lip"]) and inner.inner_lip
    assert puppet.vertices(puppet.drawn).shape == (80, 2) and inner.vertices(inner.drawn[None]).shape == (1, 68, 2)
    assert np.allclose(inner.vertices(inner.drawn)[48:56], points[60:, :2])
    assert np.allclose(puppet.to_pixels(puppet.norm), points[:, :2])


def test_saved_and_read_again(tmp_path):
    example = Puppet.load(EXAMPLE)
    example.save(tmp_path)
    again = Puppet.load(tmp_path / "counsellor.png")
    assert (again.picture == example.picture).all() and (again.triangles == example.triangles).all()
    for part in ("drawn", "norm", "closed", "scale", "shift"):
        assert np.allclose(getattr(again, part), getattr(example, part), atol=1e-4), part


def test_example(dlib_backend, caplog):
    with caplog.at_level(logging.WARNING):
        example = Puppet.load(EXAMPLE)
    assert not caplog.records and example.mouth_is_drawn_open
    assert sum(path.stat().st_size for path in EXAMPLE.iterdir()) < 100_000
    assert (example.picture[[0, 0], [0, -1], 3] == 0).all() and example.picture[300, 256, 3] == 255
    found = find_landmarks(example.picture, dlib_backend)
    assert np.abs(found - example.drawn).mean() < 10  # of 512 pixels: dlib sees the drawing's face


@pytest.mark.recipe
def test_example_is_what_the_program_draws(tmp_path):
    spec = importlib.util.spec_from_file_location("draw_puppet", ROOT / "tools" / "draw_puppet.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path / "counsellor")
    for path in EXAMPLE.glob("*.txt"):
        assert (tmp_path / "counsellor" / path.name).read_text() == path.read_text()
    drawn = cv2.imread(str(tmp_path / "counsellor" / "counsellor.png"), cv2.IMREAD_UNCHANGED)
    assert np.abs(drawn.astype(int) - Puppet.load(EXAMPLE).picture).max() <= 2


DAMAGED = {
    "delauney_tri": [
        (5, "3 4 80", ["delauney_tri.txt:5", "3 4 80", "0 to 79"]),
        (1, "-1 4 8", ["delauney_tri.txt:1", "-1 4 8"]),
        (2, "1 1 8", ["delauney_tri.txt:2", "twice"]),
        (2, "1 2.5 8", ["delauney_tri.txt:2", "1 2.5 8"]),
        (7, "1 2", ["delauney_tri.txt:7", "2 numbers, not 3"]),
    ],
    "face_open_mouth": [
        (9, "600 20 1", ["face_open_mouth.txt:9", "(600, 20)", "512 x 512", "scaled"]),
        (68, "nan 20 1", ["face_open_mouth.txt:68", "nan"]),
        (3, "20 x 1", ["face_open_mouth.txt:3", "no numbers"]),
        (3, "", ["face_open_mouth.txt", "67 lines, not 68"]),
    ],
    "face_close_mouth": [(1, "inf 0 0", ["face_close_mouth.txt:1", "inf"])],
    "scale_shift": [(1, "0", ["scale_shift.txt:1", "scale is 0"]), (3, "", ["2 lines, not 3"])],
}
CASES = [(table, *case) for table, cases in DAMAGED.items() for case in cases]


@pytest.mark.parametrize(("table", "line", "text", "words"), CASES)
def test_damage_is_named(tmp_path, table, line, text, words):
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    path = tmp_path / f"counsellor_{table}.txt"
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError) as caught:
        Puppet.load(tmp_path)
    assert all(word in str(caught.value) for word in words)


def test_missing_parts_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no puppet"):
        Puppet.load(tmp_path)
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    (tmp_path / "counsellor_scale_shift.txt").unlink()
    with pytest.raises(FileNotFoundError, match="counsellor_scale_shift.txt: is missing"):
        Puppet.load(tmp_path)
    (tmp_path / "counsellor.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="counsellor.png: cannot be read as a picture"):
        Puppet.load(tmp_path)
    (tmp_path / "counsellor.png").unlink()
    with pytest.raises(FileNotFoundError, match="no such picture"):
        Puppet.load(tmp_path)
    (tmp_path / "other_delauney_tri.txt").touch()
    with pytest.raises(ValueError, match="counsellor, other; name the picture of one"):
        Puppet.load(tmp_path)


def test_odd_puppets_are_read_with_a_warning(tmp_path, caplog):
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "counsellor_delauney_tri.txt"
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines() if "66" not in line.split()))
    Puppet.load(tmp_path)
    assert "vertices 66 are in no triangle" in caplog.text
    (tmp_path / "counsellor_scale_shift.txt").write_text("-0.007\n-250\n-220\n")
    Puppet.load(tmp_path)
    assert "disagree by" in caplog.text


def test_closed_drawn_mouth_gets_triangles_of_its_own():
    points = mean_landmarks(400, 400)
    points[60:68] = points[[48, 50, 51, 52, 54, 56, 57, 58]]
    middle = points[48:68, 1].mean()
    points[48:68, 1] = middle
    puppet = make_puppet("x", np.zeros((400, 400, 4), np.uint8), points, mean_depth())
    assert not puppet.mouth_is_drawn_open and set(puppet.triangles.ravel()) == set(range(80))
    between = [set(t) for t in puppet.triangles.tolist() if set(t) <= set(range(60, 68))]
    assert len(between) == 6  # an octagon
    assert not set(triangulate(points, 400, 400, inner_lip=True).ravel()) - set(range(68))


def test_what_is_no_face_is_refused():
    picture, good = np.zeros((300, 300, 4), np.uint8), mean_landmarks(300, 300)
    for wrong, words in (
        ((16, 0), "0 has to be left of 16"),
        ((54, 48), "48 has to be left of 54"),
        ((8, 33), "33 has to be above 8"),
    ):
        points = good.copy()
        points[[wrong[0], wrong[1]]] = points[[wrong[1], wrong[0]]]
        with pytest.raises(ValueError, match=words):
            make_puppet("x", picture, points, mean_depth())
    points = good.copy()
    points[20] = np.nan
    with pytest.raises(ValueError, match="not 67"):
        make_puppet("x", picture, points, mean_depth())


def test_made_of_a_drawing(dlib_backend, tmp_path, monkeypatch):
    monkeypatch.setattr(puppet_editor, "make_backend", lambda name: dlib_backend)
    made = make_puppet_folder(EXAMPLE / "counsellor.png", tmp_path / "found")
    assert (tmp_path / "found" / "counsellor_delauney_tri.txt").is_file()
    np.savetxt(tmp_path / "points.txt", made.drawn + (1, 0))
    make_puppet_folder(EXAMPLE / "counsellor.png", tmp_path / "given", tmp_path / "points.txt", inner_lip=True)
    given = Puppet.load(tmp_path / "given")
    assert np.allclose(given.drawn, made.drawn + (1, 0), atol=1e-3) and given.inner_lip
    (tmp_path / "points.txt").write_text("1 2 3\n4 5\n")
    with pytest.raises(ValueError, match="points.txt:2: has 2 numbers, not 3"):
        read_points(tmp_path / "points.txt")
