"""A talker in a package of its own: the command, stage 15 and the scores know only the contract."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from silvertalk.data import combine_parts, write_scp
from silvertalk.media import read_frames, write_audio
from silvertalk.talker.registry import find_setup, talker_names

ROOT = Path(__file__).resolve().parents[2]
RATE = 16000

PACKAGE = '''
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from silvertalk.media import Picture, read_pictures
from silvertalk.talker.base import Take, Talker, only_sound
from silvertalk.talker.options import Setup, VideoOptions


@dataclass
class GlowOptions(VideoOptions):
    """How it glows.

    Args:
        glow: Brightness at the loudest, 0 to 100.
    """

    glow: int = 60


@dataclass
class GlowSetup(Setup, GlowOptions):
    """The whole picture glows with the sound."""

    rendered = GlowOptions

    def talker(self):
        return Glow()

    def weights(self):
        return []


class Glow(Talker):
    note, options, name = "This picture is synthetic: it glows.", GlowOptions, "glow"

    def _open(self, face, sounds, options, phase):
        return GlowTake(face, only_sound(sounds, "a glowing picture"), options)


class GlowTake(Take):
    def __init__(self, face, sound, options):
        fps = options.fps or 25.0
        super().__init__(face, [sound], fps, max(1, round(sound.seconds * fps)))
        self.glow, self.wav = options.glow, sound.take_wav()

    def pictures(self, first=0):
        still = next(iter(read_pictures(self.face)))
        for part in np.array_split(np.abs(self.wav), self.num_frames)[first:]:
            picture = still.copy()
            picture.luma[:] = np.clip(picture.luma + self.glow * float(part.mean()), 0, 255)
            yield picture
'''

VOICE = """
import numpy as np

from silvertalk.tts.voice import Utterance, Voice


class Beeps(Voice):
    name, sampling_rate = "beeps", 16000

    def utter(self, text, options, in_pieces=False):
        return Utterance.whole(np.full(1600 * len(text), 0.3, np.float32))


def load(rest, device="cpu", **options):
    return Beeps()
"""


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    """A folder with the package and what pip would write beside it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "glow.py").write_text(PACKAGE)
    (folder / "beeps.py").write_text(VOICE)
    about = folder / "glow-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: glow\nVersion: 1.0\n")
    talkers = "[silvertalk.talkers]\nglow = glow:GlowSetup\nbroken = glow:Nothing\n"
    (about / "entry_points.txt").write_text(f"{talkers}[silvertalk.voices]\nbeeps = beeps:load\n")
    return folder


def run(plugins, module, *arguments, fails=False):
    """Run a program that finds the package."""
    path = os.pathsep.join([str(plugins), str(ROOT)])
    command = [sys.executable, "-W", "ignore", "-m", module, *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def clips(plugins, face_video, tmp_path_factory):
    """A face dump of two clips, rendered by stage 15's worker."""
    folder = tmp_path_factory.mktemp("clips")
    time = np.arange(RATE) / RATE
    for number in (1, 2):
        wav = (0.4 * np.sin(2000 * time) * (np.sin(2 * np.pi * number * time) > 0)).astype(np.float32)
        write_audio(folder / f"a-{number}.wav", wav, RATE)
    names = ("a-1", "a-2")
    write_scp(folder / "dump" / "source_video.scp", dict.fromkeys(names, face_video))
    write_scp(folder / "dump" / "source_start", dict.fromkeys(names, 0.0))
    write_scp(folder / "dump" / "audio.scp", {name: folder / f"{name}.wav" for name in names})
    given = ["--model", "glow", "--face_dir", folder / "dump", "--out_dir", folder / "out", "--glow", "90"]
    run(plugins, "silvertalk.bin.face_decode", *given)
    return folder


def test_command(plugins, face_video, clips, tmp_path):
    given = ["--face", face_video, "--audio", clips / "a-1.wav", "--out", tmp_path / "o.mp4"]
    run(plugins, "silvertalk.bin.silvertalk", "lipsync", "--model", "glow", *given, "--glow", "100", "--crf", "4")
    light = [frame.mean() for frame in read_frames(tmp_path / "o.mp4")]
    assert len(light) == 25 and np.mean(light[2:10]) > np.mean(light[15:23]) + 15
    assert "--glow" in run(plugins, "silvertalk.bin.silvertalk", "lipsync", "--model", "glow", "--help")
    said = run(plugins, "silvertalk.bin.silvertalk", "lipsync", *given, "--glow", "1", fails=True)
    assert "--glow is an option of --model glow only" in said
    said = run(plugins, "silvertalk.bin.silvertalk", "lipsync", "--model", "broken", *given, fails=True)
    assert "'broken'" in said and "Nothing" in said


def test_say_with_a_voice_and_a_face_of_another_package(plugins, face_video, tmp_path):
    given = ["--model", "glow", "--tts_exp", "beeps", "--face", face_video, "--captions", tmp_path / "o.srt"]
    run(plugins, "silvertalk.bin.silvertalk", "say", *given, "--text", "Hello. You.", "--out", tmp_path / "o.mp4")
    light = np.array([frame.mean() for frame in read_frames(tmp_path / "o.mp4")])
    assert len(light) == 35  # 6 and 4 letters of a tenth of a second, a pause of 0.4
    assert light[[5, 30]].min() > light[20] + 10
    assert "You." in (tmp_path / "o.srt").read_text()


def test_stage_15(clips):
    for kind in ("recorded", "control"):
        assert combine_parts(clips / "out" / kind, ["a-1", "a-2"]) == (2, {})
    assert (clips / "out" / "silence" / "a-1.mp4").is_file()


def test_scores(plugins, clips, tmp_path):
    generated, real = clips / "out" / "recorded", clips / "out" / "control"
    run(plugins, "silvertalk.bin.silvertalk", "score", "--real", real, "--generated", generated, "--out", tmp_path)
    assert "recorded" in (tmp_path / "scores.md").read_text()


def test_unknown_names_are_refused():
    assert talker_names()[:3] == ["wav2lip", "makeittalk", "cartoon"]
    with pytest.raises(ValueError, match="model 'x' is none of wav2lip, makeittalk, cartoon"):
        find_setup("x")
