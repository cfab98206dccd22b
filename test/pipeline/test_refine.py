"""Portraits through the commands: alone, said by a voice, with Wav2Lip's lips, and a whole set."""

import cv2
import numpy as np
import pytest
import torch

from silvertalk.bin import face_decode
from silvertalk.bin.silvertalk import main
from silvertalk.data import combine_parts, read_scp, write_scp
from silvertalk.engine.runtimes import Engine
from silvertalk.face import NoFaceError, make_backend
from silvertalk.makeittalk.checkpoint import save_checkpoint
from silvertalk.makeittalk.networks import AutoVC, ContentBranch, ImageTranslation, SpeakerBranch
from silvertalk.makeittalk.options import PortraitOptions, PortraitSetup
from silvertalk.makeittalk.portrait import motion
from silvertalk.makeittalk.portrait.portrait import Portrait
from silvertalk.makeittalk.portrait.refined import RefinedPortrait
from silvertalk.makeittalk.statistics import mean_face_statistics
from silvertalk.media import probe, read_frames, write_audio
from silvertalk.pipeline import TalkingFace
from silvertalk.training.experiment import save_config
from silvertalk.tts.voice import Utterance, Voice
from silvertalk.wav2lip.lipsync import LipSync

RATE = 16000
KINDS = ("recorded", "control", "video")
NAMES = ("autovc", "content", "speaker", "translation")


class Mirror(Engine):
    """Draws the portrait as it was."""

    def _run(self):
        return self.inputs["picture"][:, 3:]


class Hiss(Voice):
    """A voice of a tenth of a second a letter."""

    name, sampling_rate = "hiss", RATE

    def utter(self, text, options, in_pieces=False):
        return Utterance.whole(sound(0.1 * len(text)))


@pytest.fixture(scope="module")
def expdir(photo, tmp_path_factory):
    """Small untrained networks, a photo and a sound."""
    folder = tmp_path_factory.mktemp("exp")
    torch.manual_seed(0)
    sizes = {"autovc": {"pre": 16}, "content": {"hidden_size": 16}, "speaker": {"hidden_size": 16, "ff_size": 32}}
    sizes["translation"] = {"ngf": 4}
    kinds = AutoVC, ContentBranch, SpeakerBranch, ImageTranslation
    for (name, options), kind in zip(sizes.items(), kinds, strict=True):
        exp = folder / f"makeittalk_{name}_x"
        save_config(exp, {"task": f"makeittalk_{name}", "model": options, "data": {"img_size": 64}})
        save_checkpoint(exp / "latest.pth", kind(**options))
    mean_face_statistics(np.zeros(256)).save(folder / "makeittalk_content_x" / "statistics.npz")
    cv2.imwrite(str(folder / "me.png"), photo[..., ::-1])
    write_audio(folder / "a.wav", sound(0.4), RATE)
    return folder


def sound(seconds):
    return 0.1 * np.random.default_rng(0).normal(size=round(seconds * RATE)).astype(np.float32)


@pytest.fixture(autouse=True)
def _quick_voices(monkeypatch):
    """The speaker encoder, which takes a second to load, is tested elsewhere."""
    monkeypatch.setattr(motion, "speaker_embedding", lambda wav: np.full(256, 1 / 16, np.float32))


@pytest.fixture(scope="module")
def portrait(expdir):
    networks = {name: expdir / f"makeittalk_{name}_x" for name in NAMES[:3]}
    return Portrait(**networks, translation=Mirror("mirror", {"picture": (6, 64, 64)}, 4), backend=make_backend("dlib"))


def test_command(expdir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["portrait", "--image", f"{expdir}/me.png", "--audio", f"{expdir}/a.wav", "--expdir", str(expdir)]
    command += ["--engine", "torch", "--precision", "fp32", "--face_backend", "dlib", "--amp_pos", "1", "--crop"]
    main([*command, "--out", "o.mp4"])
    assert sum(1 for _ in read_frames("o.mp4")) == 10 and probe("o.mp4").width == 64
    main([*command, "--out", "s.mp4", "--stream"])
    assert sum(1 for _ in read_frames("s.mp4")) == 10 and b"moof" in (tmp_path / "s.mp4").read_bytes()
    with pytest.raises(SystemExit, match="refine 'gfpgan' is not wav2lip"):
        main([*command, "--out", "p.mp4", "--refine", "gfpgan"])


def test_say(portrait, expdir, tmp_path):
    talking = TalkingFace(Hiss(), portrait)
    assert talking.say("hello", expdir / "me.png", tmp_path / "o.mp4").num_frames == 13  # the last one is half full
    with pytest.raises(ValueError, match="'x' is none of wav2lip, makeittalk"):
        TalkingFace.from_exp(expdir, model="x")


def test_lips_are_drawn_once_more(portrait, grey_engine, expdir, tmp_path):
    refined = RefinedPortrait(portrait, LipSync(grey_engine, portrait.backend))
    options = PortraitOptions(preset="ultrafast", crf=8)
    plain = portrait.render_file(expdir / "me.png", expdir / "a.wav", tmp_path / "plain.mp4", options)
    result = refined.render_file(expdir / "me.png", expdir / "a.wav", tmp_path / "refined.mp4", options)
    assert result.num_frames == plain.num_frames == 10 and result.out.endswith("refined.mp4")
    one, other = (next(iter(read_frames(tmp_path / f"{name}.mp4"))).astype(int) for name in ("plain", "refined"))
    x1, y1, x2, y2 = (int(v) for v in portrait.prepare(expdir / "me.png").face_box(cropped=False))
    middle, lips = np.abs(one - other).max(axis=2)[y1 : (y1 + y2) // 2, x1:x2], np.abs(one - other)[y2 - 30 : y2 - 15]
    assert lips[:, (x1 + x2) // 2 - 10 : (x1 + x2) // 2 + 10].mean() > 10 > 5 > middle.mean()
    again = refined.render(expdir / "me.png", sound(0.4), RATE, tmp_path / "again.mp4", options)
    assert again.num_frames == 10
    with pytest.raises(NoFaceError):
        refined.render_file(expdir / "me.png", expdir / "a.wav", tmp_path / "x.mp4", PortraitOptions(select="3"))
    assert not (tmp_path / "x.mp4").exists()


def test_what_is_missing_is_said(expdir, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no trained wav2lip_\*"):
        PortraitSetup(expdir=str(expdir), refine="wav2lip").talker()
    with pytest.raises(FileNotFoundError, match="run stage 11"):
        PortraitSetup(expdir=str(tmp_path)).talker()


def test_a_set(portrait, face_video, tmp_path, monkeypatch):
    """Three kinds of videos of a clip, as long as their sounds, on the portrait of its first frame."""
    folder, clips = tmp_path / "dump", ("a-1", "a-2")
    for number, utt_id in enumerate(clips):
        write_audio(tmp_path / f"{utt_id}.wav", sound(0.4 + 0.04 * number), RATE)
    write_scp(folder / "source_video.scp", dict.fromkeys(clips, face_video))
    write_scp(folder / "source_start", {"a-1": 0.0, "a-2": 1.0})
    write_scp(folder / "audio.scp", {utt_id: tmp_path / f"{utt_id}.wav" for utt_id in clips})
    write_scp(tmp_path / "voice.scp", {"a-1": tmp_path / "a-2.wav"})
    asked = {}
    monkeypatch.setattr(PortraitSetup, "talker", lambda setup: asked.update(vars(setup)) or portrait)
    given = {f"{name}_exp": f"exp/{name}" for name in NAMES}
    given |= {"face_dir": folder, "out_dir": tmp_path / "out", "wav_scp": tmp_path / "voice.scp"}
    command = ["--model=makeittalk", *(f"--{name}={value}" for name, value in given.items()), "--face_backend=dlib"]
    face_decode.main(command)
    assert {name: asked[f"{name}_exp"] for name in NAMES} == {name: f"exp/{name}" for name in NAMES}
    assert asked["face_backend"] == "dlib"
    for kind, wanted in (("recorded", clips), ("control", clips), ("video", clips[:1])):
        assert not combine_parts(tmp_path / "out" / kind, list(wanted))[1]
        assert set(read_scp(tmp_path / "out" / kind / "video.scp")) == set(wanted)
        assert set(read_scp(tmp_path / "out" / kind / "sound")) == set(wanted)
    counts = [
        sum(1 for _ in read_frames(tmp_path / "out" / kind / "a-1.mp4")) for kind in ("recorded", "control", "video")
    ]
    assert counts == [10, 10, 11]
    assert {path.name for path in (tmp_path / "out" / "silence").iterdir()} == {"a-1.mp4", "a-2.mp4"}
