"""The command line of rendering: what it writes, and what it says when it cannot."""

import functools
import json
import os
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest
import torch

from silvertalk.bin.silvertalk import main
from silvertalk.face import make_backend
from silvertalk.media import VideoWriter, probe, read_audio, read_frames, write_audio
from silvertalk.training.experiment import save_config
from silvertalk.wav2lip import Wav2Lip, save_checkpoint

RATE = 16000
WIDTH = 0.0625


def tone(seconds, pitch=440):
    return 0.3 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)


known_backend = functools.cache(make_backend)  # loading one takes longer than most renderings here


@pytest.fixture(scope="module")
def folder(photo, tmp_path_factory):
    """A small generator, a face video with sound, a photo of two faces, sounds."""
    folder = tmp_path_factory.mktemp("command")
    torch.manual_seed(0)
    save_config(folder / "wav2lip_x", {"task": "wav2lip", "model": {"img_size": 96, "width": WIDTH}})
    save_checkpoint(folder / "wav2lip_x" / "latest.pth", Wav2Lip(width=WIDTH).state_dict())
    with VideoWriter(folder / "face.mp4", 25, tone(0.6), RATE) as out:
        for k in range(15):
            out.write(np.roll(photo, k % 3, axis=1))
    with VideoWriter(folder / "silent.mp4", 25) as out:
        out.write(photo)
    cv2.imwrite(str(folder / "two.png"), np.hstack([photo, photo])[..., ::-1])
    write_audio(folder / "a.wav", tone(0.4), RATE)
    write_audio(folder / "b.wav", tone(0.4, 880), RATE)
    return folder


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    """An empty current folder beside links to the inputs."""
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("silvertalk.wav2lip.lipsync.make_backend", known_backend)
    return tmp_path


MODEL = ("--wav2lip_exp", "wav2lip_x", "--engine", "torch", "--face_backend", "dlib")


def lipsync(*options):
    main(["lipsync", *MODEL, *options])


def refused(*options) -> str:
    """Run what must fail; returns the one line that is said."""
    before = set(os.listdir())
    with pytest.raises(SystemExit) as stop:
        lipsync(*options)
    message = str(stop.value.code)
    assert message.startswith("error: ") and "\n" not in message
    assert set(os.listdir()) == before
    return message


# The command as a program, with an engine that needs no torch, which takes seconds to load.
PROGRAM = """
import sys
import numpy as np
from silvertalk.bin.silvertalk import main
from silvertalk.engine.runtimes import Engine
from silvertalk.wav2lip import lipsync
from silvertalk.wav2lip.convert import generator_shapes

class Grey(Engine):
    def _run(self):
        return np.full((self.batch_size, 3, 96, 96), 0.5, np.float32)

lipsync.make_engine = lambda *_: Grey("grey", generator_shapes(96), 4)
"""


def start(*options, before="") -> subprocess.Popen:
    """Run the command as a program."""
    command = [sys.executable, "-c", f"{PROGRAM}{before}\nmain(sys.argv[1:])", "lipsync", *MODEL, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def said_by(process) -> str:
    """Wait for a program that fails; returns the one line that it says besides its log."""
    _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    (said,) = [line for line in log.decode().splitlines() if " INFO: " not in line]
    return said


def test_own_sound(here):
    lipsync("--face", "face.mp4", "--out", "o.mp4", "--preset", "ultrafast")
    wav, rate = read_audio("o.mp4")
    assert sum(1 for _ in read_frames("o.mp4")) == 15 and abs(len(wav) / rate - 0.6) < 0.04
    assert np.abs(np.fft.rfft(wav[: rate // 2])).argmax() * 2 == 440
    assert "silent.mp4: holds no sound" in refused("--face", "silent.mp4", "--out", "o2.mp4")


def test_experiment_may_be_found_or_a_file_in_it(here):
    main(["lipsync", "--expdir", ".", *MODEL[2:], "--face", "face.mp4", "--audio", "a.wav", "--out", "found.mp4"])
    main(
        ["lipsync", "--wav2lip_exp", "wav2lip_x/latest.pth", *MODEL[2:], "--face", "face.mp4", "--audio", "a.wav"]
        + ["--out", "file.mp4"]
    )
    for one, other in zip(read_frames("found.mp4"), read_frames("file.mp4"), strict=True):
        assert np.abs(one.astype(int) - other).mean() < 1  # x264's lookahead does not always choose alike


def test_preview(here, capfdbinary):
    arguments = ("--face", "face.mp4", "--audio", "a.wav", "--preview")
    lipsync(*arguments, "7", "--out", "x.png")
    picture = cv2.imread("x.png")
    assert picture.shape == (240, 240, 3)
    capfdbinary.readouterr()
    lipsync(*arguments, "7", "--out", "-")
    data = capfdbinary.readouterr().out
    assert (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) == picture).all()
    assert "x.foo: is no name of a picture" in refused(*arguments, "7", "--out", "x.foo")
    assert "no frame 10; the result has 10" in refused(*arguments, "10", "--out", "y.png")


def test_speakers(here):
    lipsync("--face", "two.png", "--speakers", "0=a.wav", "1=b.wav", "--out", "o.mp4")
    wav, rate = read_audio("o.mp4")
    spectrum = np.abs(np.fft.rfft(wav[: rate // 5]))
    assert sorted(np.argsort(spectrum)[-2:] * 5) == [440, 880]
    with open("o.yaml", "w") as file:
        file.write("speakers: [1=b.wav]\nface: two.png\nout: p.mp4\n")
    lipsync("--config", "o.yaml")
    lipsync("--face", "two.png", "--speakers+", "0=a.wav", "--speakers+", "1=b.wav", "--out", "p.mp4")
    assert probe("p.mp4").has_audio
    face = ("--face", "two.png", "--out", "q.mp4")
    assert "not both" in refused(*face, "--speakers", "0=a.wav", "--audio", "a.wav")
    assert "speaker '0' has two sounds" in refused(*face, "--speakers", "0=a.wav", "0=b.wav")
    for wrong in ("a.wav", "=a.wav", "0="):
        assert f"speaker '{wrong}' is not CHOICE=SOUND" in refused(*face, "--speakers", wrong)


def test_avatar(here):
    main(["avatar", "make", "--face", "face.mp4", "--out", "me", "--face_backend", "dlib"])
    assert sorted(os.listdir("me")) == ["avatar.json", "track.npz", "video.mp4"]
    lipsync("--face", "me", "--audio", "a.wav", "--out", "o.mp4")
    assert sum(1 for _ in read_frames("o.mp4")) == 10
    (here / "me" / "track.npz").write_bytes(b"rubbish")
    assert "track.npz: cannot be read" in refused("--face", "me", "--audio", "a.wav", "--out", "p.mp4")
    (here / "me" / "avatar.json").write_text("{}")
    assert "avatar.json: is damaged" in refused("--face", "me", "--audio", "a.wav", "--out", "p.mp4")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--select", "nobody"], ["'nobody'", "largest", "photo"]),
        (["--select", "5"], ["face.mp4", "no face"]),
        (["--quality", "best"], ["'best'", "fast, improved, enhanced"]),
        (["--quality", "enhanced"], ["no weights", "GFPGANv1.4.pth", "TencentARC/GFPGAN", "'improved' works without"]),
        (["--mask", "parsing"], ["no face-parsing network", "yakhyo/face-parsing", "landmarks work without"]),
        (["--engine", "abacus"], ["'abacus'", "openvino"]),
        (["--wav2lip_exp", "gone"], ["gone", "experiment folder"]),
        (["--audio", "gone.wav"], ["gone.wav"]),
        (["--face", "gone.mp4"], ["gone.mp4"]),
        (["--soundtrack", "gone.wav"], ["gone.wav"]),
        (["--watermark", "gone.png"], ["gone.png"]),
        (["--start", "9"], ["face.mp4", "9.00 s", "begin earlier"]),
        (["--out", "o.xyz"], ["o.xyz", "suffix"]),
        (["--out", "wav2lip_x"], ["wav2lip_x", "is a folder"]),
        (["--out", "a.wav/o.mp4"], ["a.wav/o.mp4", "another folder"]),
        (["--out", "/proc/o.mp4"], ["/proc/o.mp4", "another folder"]),
        (["--out", "/dev/full", "--stream"], ["/dev/full", "No space left", "free space"]),
    ],
)
def test_what_cannot_be_done_is_one_line(here, options, words):
    said = refused("--face", "face.mp4", "--audio", "a.wav", "--out", "o.mp4", *options)
    assert all(word in said for word in words)


def test_stream_to_standard_output(here):
    process = start("--face", "face.mp4", "--audio", "a.wav", "--out", "-")
    out, log = process.communicate(timeout=60)
    (here / "o.mp4").write_bytes(out)
    assert process.returncode == 0 and b" INFO: " in log
    assert sum(1 for _ in read_frames("o.mp4")) == 10 and abs(len(read_audio("o.mp4")[0]) / RATE - 0.4) < 0.04
    assert b"moof" in out


def test_file_says_how_it_was_made(here):
    lipsync("--face", "face.mp4", "--audio", "a.wav", "--out", "o.mp4", "--gate", "false")
    with av.open("o.mp4") as container:
        about = json.loads(container.metadata["comment"])
    assert about["synthetic"] is True and about["model"] == "wav2lip_x (torch fp32)"
    assert (about["face"], about["sound"], about["settings"]) == ("face.mp4", ["a.wav"], {"gate": False})


def test_reader_that_leaves(here):
    process = start("--face", "face.mp4", "--out", "-")
    process.stdout.close()
    process.stdout = None
    assert said_by(process) == "error: standard output: whoever read the stream has gone"


def test_growing_file(here):
    (here / "o.mp4").write_text("older")
    refused("--face", "face.mp4", "--audio", "gone.wav", "--out", "o.mp4", "--stream")
    assert (here / "o.mp4").read_text() == "older"
    lipsync("--face", "face.mp4", "--audio", "a.wav", "--out", "o.mp4", "--stream")
    assert sum(1 for _ in read_frames("o.mp4")) == 10
    assert b"moof" in (here / "o.mp4").read_bytes()


def test_full_disk(here):
    """The size of files is limited, which is felt as a full disk is; all threads are at work then."""
    (here / "o.mp4").write_text("older")
    before = set(os.listdir())
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))"  # Python ignores SIGXFSZ
    process = start("--face", "face.mp4", "--out", "o.mp4", "--cache", "false", "--crf", "5", before=limit)
    said = said_by(process)
    assert said.startswith("error: o.mp4: cannot be written (") and "check the free space" in said
    assert (here / "o.mp4").read_text() == "older" and set(os.listdir()) == before


def test_cache_that_cannot_be_written_is_no_obstacle(here, monkeypatch, caplog):
    monkeypatch.setenv("SILVERTALK_CACHE", "/proc/cache")
    lipsync("--face", "face.mp4", "--audio", "a.wav", "--out", "o.mp4")
    assert sum(1 for _ in read_frames("o.mp4")) == 10
