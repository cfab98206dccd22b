"""Many videos in one go."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from silvertalk.bin.silvertalk import main
from silvertalk.face import make_backend
from silvertalk.media import VideoWriter, read_frames, write_audio
from silvertalk.pipeline.batch import MANIFEST, pair_up, render_batch
from silvertalk.talker.options import RenderOptions
from silvertalk.training.experiment import save_config
from silvertalk.wav2lip import Wav2Lip, save_checkpoint
from silvertalk.wav2lip.lipsync import LipSync

RATE = 16000
OPTIONS = RenderOptions(preset="ultrafast")


@pytest.fixture(scope="module")
def lipsync(grey_engine):
    return LipSync(grey_engine, make_backend("dlib"))


def write_sound(path, seconds=0.4, seed=0):
    write_audio(path, 0.1 * np.random.default_rng(seed).normal(size=round(seconds * RATE)), RATE)


@pytest.fixture
def here(photo, tmp_path, monkeypatch):
    """An empty current folder but for three sounds and two faces, a video and a photo."""
    monkeypatch.chdir(tmp_path)
    for number in (1, 2, 10):
        write_sound(f"{number}.wav", seed=number)
    with VideoWriter("a.mp4", 25) as out:
        for k in range(12):
            out.write(np.roll(photo, k % 3, axis=1))
    cv2.imwrite("b.png", photo[..., ::-1])
    return tmp_path


def names(items):
    return [(Path(item.face).name, Path(item.audio).name, item.out) for item in items]


def touch(*paths):
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def test_pairs_in_order_of_their_numbers(tmp_path):
    touch(*(tmp_path / f"f/{k}.mp4" for k in range(1, 11)), *(tmp_path / f"s/take{k}.wav" for k in range(1, 11)))
    items = pair_up(f"{tmp_path}/f/*.mp4", f"{tmp_path}/s/*")
    assert names(items) == [(f"{k}.mp4", f"take{k}.wav", f"{k}_take{k}.mp4") for k in range(1, 11)]


def test_one_goes_with_all(tmp_path):
    touch(tmp_path / "f.mp4", *(tmp_path / f"{k}.wav" for k in range(3)))
    wanted = [("f.mp4", f"{k}.wav", f"f_{k}.mp4") for k in range(3)]
    assert names(pair_up(f"{tmp_path}/f.mp4", f"{tmp_path}/?.wav")) == wanted
    wanted = [(f"{k}.wav", "f.mp4", f"{k}_f.mp4") for k in range(3)]
    assert names(pair_up(f"{tmp_path}/?.wav", f"{tmp_path}/f.mp4")) == wanted


def test_names_with_brackets_are_names(tmp_path):
    touch(tmp_path / "clip [1].mp4", tmp_path / "clip 1.mp4", tmp_path / "²2.wav")
    assert names(pair_up(f"{tmp_path}/clip [1].mp4", f"{tmp_path}/*.wav")) == [
        ("clip [1].mp4", "²2.wav", "clip [1]_²2.mp4")
    ]


def test_folders_are_searched(tmp_path):
    touch(tmp_path / "f.mp4", tmp_path / "deep/er/1.wav", tmp_path / "2.wav")
    assert [name for _, name, _ in names(pair_up(f"{tmp_path}/f.mp4", f"{tmp_path}/**/*.wav"))] == ["1.wav", "2.wav"]


def test_what_cannot_be_paired(tmp_path):
    touch(*(tmp_path / name for name in ("1.mp4", "2.mp4", "1.wav", "2.wav", "3.wav", "x/1.wav")))
    with pytest.raises(ValueError, match=r"2 faces .*\.mp4\) and 3 sounds .*\.wav\) cannot be paired; give"):
        pair_up(f"{tmp_path}/*.mp4", f"{tmp_path}/*.wav")
    for faces, sounds in (("*.mkv", "*.wav"), ("*.mp4", "*.flac")):
        with pytest.raises(FileNotFoundError, match=r"no file matches .*(mkv|flac)"):
            pair_up(f"{tmp_path}/{faces}", f"{tmp_path}/{sounds}")
    with pytest.raises(ValueError, match="same names; rename"):
        pair_up(f"{tmp_path}/1.mp4", f"{tmp_path}/**/1.wav")


class Maker:
    """Makes the renderer, and counts."""

    def __init__(self, lipsync):
        self.made, self.lipsync = 0, lipsync

    def __call__(self):
        self.made += 1
        return self.lipsync


def render(maker, faces="a.mp4", sounds="*.wav", options=OPTIONS, model="m"):
    """Render into out; returns the items, and which of the files are new."""
    before = {path.name: path.stat().st_mtime_ns for path in Path("out").glob("*.mp4")}
    items = render_batch(maker, pair_up(faces, sounds), "out", options, model)
    now = {path.name: path.stat().st_mtime_ns for path in Path("out").glob("*.mp4")}
    return items, sorted(name for name in now if now[name] != before.get(name))


def read_manifest():
    with open(Path("out") / MANIFEST, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_second_run_does_nothing(here, lipsync):
    maker = Maker(lipsync)
    items, new = render(maker)
    assert new == ["a_1.mp4", "a_10.mp4", "a_2.mp4"] and maker.made == 1
    rows = read_manifest()
    assert [row["out"] for row in rows] == ["a_1.mp4", "a_2.mp4", "a_10.mp4"]
    for row in rows:
        assert row["status"] == "done" and row["frames"] == "10" and len(row["key"]) == 32
        assert row["face"] == "a.mp4" and row["audio"].endswith(".wav") and row["note"] == ""
        assert float(row["seconds"]) >= 0 and float(row["seconds_without_face"]) == 0
        assert sum(1 for _ in read_frames(f"out/{row['out']}")) == 10
    again, new = render(maker)
    assert new == [] and maker.made == 1 and again == items
    assert sorted(os.listdir("out")) == ["a_1.mp4", "a_10.mp4", "a_2.mp4", MANIFEST]


def test_what_changed_is_rendered_again(here, lipsync):
    maker = Maker(lipsync)
    watermark = RenderOptions(preset="ultrafast", watermark="logo.png")
    cv2.imwrite("logo.png", np.full((8, 8, 3), 100, np.uint8))
    render(maker)
    every = ["a_1.mp4", "a_10.mp4", "a_2.mp4"]
    assert render(maker, options=watermark)[1] == every
    cv2.imwrite("logo.png", np.full((8, 8, 3), 200, np.uint8))
    assert render(maker, options=watermark)[1] == every  # the picture has changed, not its name
    assert render(maker, options=watermark, model="n")[1] == every
    write_sound("2.wav", seed=7)
    assert render(maker, options=watermark, model="n")[1] == ["a_2.mp4"]
    os.utime("1.wav")
    os.rename("a.mp4", "c.mp4")
    os.rename("c.mp4", "a.mp4")
    assert render(maker, options=watermark, model="n")[1] == []
    os.unlink("out/a_10.mp4")
    assert render(maker, options=watermark, model="n")[1] == ["a_10.mp4"]
    with open("a.mp4", "ab") as file:
        file.write(b"\0" * 8)
    assert render(maker, options=watermark, model="n")[1] == every


def test_failed_item_does_not_stop_the_others(here, lipsync):
    maker = Maker(lipsync)
    write_sound("0.wav", 0.05)
    Path("3.wav").write_bytes(b"rubbish")
    items, new = render(maker)
    assert new == ["a_1.mp4", "a_10.mp4", "a_2.mp4"]
    rows = {row["out"]: row for row in read_manifest()}
    assert {name for name, row in rows.items() if row["status"] == "failed"} == {"a_0.mp4", "a_3.mp4"}
    assert "0.050 s" in rows["a_0.mp4"]["note"] and "3.wav" in rows["a_3.mp4"]["note"]
    write_sound("3.wav", seed=3)
    assert render(maker)[1] == ["a_3.mp4"] and maker.made == 2
    assert [row["out"] for row in read_manifest() if row["status"] == "failed"] == ["a_0.mp4"]


@pytest.mark.parametrize("content", ["", "other\ttable\n1\t2\n", "out\tstatus\na_1.mp4\tdone\n"])
def test_foreign_manifest_is_replaced(here, lipsync, content):
    Path("out").mkdir()
    (Path("out") / MANIFEST).write_text(content)
    _, new = render(Maker(lipsync), sounds="1.wav")
    assert new == ["a_1.mp4"] and read_manifest()[0]["status"] == "done"


def save_experiment(seed):
    torch.manual_seed(seed)
    save_config("wav2lip_x", {"task": "wav2lip", "model": {"img_size": 96, "width": 0.0625}})
    save_checkpoint("wav2lip_x/latest.pth", Wav2Lip(width=0.0625).state_dict())


def test_command(here):
    save_experiment(0)
    command = ["batch", "--face", "[ab].*", "--audio", "1.wav", "--out", "out", "--preset", "ultrafast"]
    command += ["--wav2lip_exp", "wav2lip_x", "--engine", "torch", "--face_backend", "dlib"]
    main(command)
    done = {path.name: path.stat().st_mtime_ns for path in Path("out").glob("*.mp4")}
    assert set(done) == {"a_1.mp4", "b_1.mp4"}
    Path("b.png").write_bytes(b"rubbish")
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == f"error: 1 of 2 failed, the first b_1.mp4; see out/{MANIFEST}"
    assert done == {path.name: path.stat().st_mtime_ns for path in Path("out").glob("*.mp4")}
    save_experiment(1)  # trained on: other weights in the same folder
    with pytest.raises(SystemExit):
        main(command)
    assert Path("out/a_1.mp4").stat().st_mtime_ns > done["a_1.mp4"]


# A batch whose second item never comes to its end.
KILLED = """
import sys, time
import numpy as np
from silvertalk.face import make_backend
from silvertalk.pipeline.batch import pair_up, render_batch
from silvertalk.engine.runtimes import Engine
from silvertalk.wav2lip.convert import generator_shapes
from silvertalk.wav2lip.lipsync import LipSync
from silvertalk.talker.options import RenderOptions

class Slow(Engine):
    calls = 0
    def _run(self):
        Slow.calls += 1
        if Slow.calls > 5:
            print("stuck", flush=True)
            time.sleep(100)
        return np.full((self.batch_size, 3, 96, 96), 0.5, np.float32)

make = lambda: LipSync(Slow("grey", generator_shapes(96), 4), make_backend("dlib"))
render_batch(make, pair_up("a.mp4", "*.wav"), "out", RenderOptions(preset="ultrafast"), "m")
"""


def test_killed_batch_goes_on(here, lipsync, monkeypatch, caplog):
    monkeypatch.setenv("SILVERTALK_CACHE", str(here / "cache"))
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "stuck\n"
        process.kill()
    assert process.returncode == -9
    assert [row["status"] for row in read_manifest()] == ["done", "waiting", "waiting"]
    left = sorted(os.listdir("out"))
    assert left == sorted([f".a_2.{process.pid}.tmp.mp4", "a_1.mp4", MANIFEST])
    (track,) = Path("cache/tracks").iterdir()
    kept = track.stat().st_mtime_ns
    caplog.set_level("INFO")
    _, new = render(Maker(lipsync))
    assert new == ["a_10.mp4", "a_2.mp4"] and "1 of 3 done before" in caplog.text
    assert sorted(os.listdir("out")) == ["a_1.mp4", "a_10.mp4", "a_2.mp4", MANIFEST]
    assert all(sum(1 for _ in read_frames(path)) == 10 for path in Path("out").glob("*.mp4"))
    assert [path.stat().st_mtime_ns for path in Path("cache/tracks").iterdir()] == [kept]
    assert caplog.text.count("face track of an earlier run") == 2
