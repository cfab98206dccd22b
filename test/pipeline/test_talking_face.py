"""Text, voice and face in one."""

import os

import pytest
import torch

from silvertalk.bin.silvertalk import main
from silvertalk.face import make_backend
from silvertalk.media import read_frames
from silvertalk.pipeline import TalkingFace
from silvertalk.training.experiment import newest_experiment
from silvertalk.tts import Synthesizer
from silvertalk.wav2lip import Wav2Lip
from silvertalk.wav2lip.lipsync import LipSync


class Hum:
    """A stand-in for ESPnet's Text2Speech that hums for a tenth of a second a letter."""

    fs = 16000

    def __call__(self, text):
        return {"wav": 0.2 * torch.sin(torch.arange(int(0.1 * len(text) * 16000)) * 0.05)}


def test_say(face_video, tmp_path):
    torch.manual_seed(0)
    face = TalkingFace(Synthesizer(Hum()), LipSync(Wav2Lip(width=0.0625), make_backend("dlib")))
    captions = [tmp_path / "out.srt"]
    result = face.say("go. on.", face_video, tmp_path / "out.mp4", captions=captions)
    # 3 characters each, a pause of 0.4 s.
    assert result.num_frames == sum(1 for _ in read_frames(tmp_path / "out.mp4")) == 25
    assert captions[0].read_text().splitlines()[4:] == ["2", "00:00:00,700 --> 00:00:01,000", "on."]


def test_newest_experiment(tmp_path):
    with pytest.raises(FileNotFoundError, match="run stage 10"):
        newest_experiment(tmp_path, "wav2lip_")
    for age, name in enumerate(("wav2lip_b", "wav2lip_a", "tts_c")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").touch()
        (tmp_path / name / "latest.pth").touch()
        os.utime(tmp_path / name / "latest.pth", (100 - age, 100 - age))
    assert newest_experiment(tmp_path, "wav2lip_").name == "wav2lip_b"
    assert newest_experiment(tmp_path, "tts_").name == "tts_c"
    with pytest.raises(FileNotFoundError, match="run stage 14"):
        newest_experiment(tmp_path, "makeittalk_translation_")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["say", "--text", "x", "--face", "f", "--out", "o", "--expdir", "nowhere"], "run stage 10"),
        (["say", "--text", "x", "--face", "f", "--out", "o", "--model", "x"], "'x' is none of wav2lip, makeittalk"),
        (
            ["say", "--text", "x", "--face", "f", "--out", "o", "--model", "makeittalk", "--quality", "fast"],
            "--quality is an option of --model wav2lip only",
        ),
        (
            ["say", "--text", "x", "--face", "f", "--out", "o", "--amp_pos", "1"],
            "--amp_pos is an option of --model makeittalk only",
        ),
        (["portrait", "--image", "f", "--audio", "x", "--out", "o", "--expdir", "nowhere"], "run stage 11"),
        (
            ["portrait", "--image", "f", "--audio", "x", "--out", "o", "--autovc_exp", "gone", "--expdir", "nowhere"],
            "run stage 12",
        ),
        (["lipsync", "--audio", "x", "--face", "f", "--out", "o", "--wav2lip_exp", "nowhere"], "no nowhere; name"),
    ],
)
def test_command_says_what_is_missing(command, message):
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert message in str(stop.value) and stop.value.code != 0


def test_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["lipsync", "--magic", "1"])
    assert stop.value.code == 2 and "magic" in capsys.readouterr().err
