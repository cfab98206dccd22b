"""From a photo and a sound to a video."""

import json
import pickle

import av
import cv2
import numpy as np
import pytest
import torch

from silvertalk.engine.runtimes import Engine
from silvertalk.face import make_backend
from silvertalk.makeittalk.checkpoint import save_checkpoint
from silvertalk.makeittalk.networks import AutoVC, ContentBranch, ImageTranslation, SpeakerBranch
from silvertalk.makeittalk.options import PortraitOptions
from silvertalk.makeittalk.portrait import motion
from silvertalk.makeittalk.portrait import portrait as module
from silvertalk.makeittalk.portrait.motion import at_rate
from silvertalk.makeittalk.portrait.portrait import Portrait
from silvertalk.makeittalk.statistics import mean_face_statistics
from silvertalk.media import probe, read_audio, read_frames, write_audio
from silvertalk.training.experiment import save_config

RATE = 16000


class Copier(Engine):
    """Draws the portrait as it was, with the drawing over it."""

    def __init__(self, img_size=128, batch_size=4):
        super().__init__("copier", {"picture": (6, img_size, img_size)}, batch_size)

    def _run(self):
        drawing, portrait = self.inputs["picture"][:, :3], self.inputs["picture"][:, 3:]
        return np.where((drawing < 0.99).any(axis=1, keepdims=True), drawing, portrait)


def speech(seconds, rate=RATE, seed=0):
    """Something like speech: a voice of gliding pitch, four syllables a second."""
    t = np.arange(round(seconds * rate)) / rate
    voice = np.sign(np.sin(2 * np.pi * (130 * t + 3 * np.sin(2 * np.pi * t + seed))))
    return (0.2 * voice * (1.02 - np.cos(2 * np.pi * 4 * t)) / 2).astype(np.float32)


@pytest.fixture(scope="module")
def networks():
    """Small untrained networks."""
    torch.manual_seed(0)
    content, speaker = ContentBranch(hidden_size=16), SpeakerBranch(hidden_size=16, ff_size=32)
    with torch.no_grad():
        for branch in (content.fc, speaker.out):  # movements one can see
            branch[-1].weight *= 5
    return {"autovc": AutoVC(pre=16), "content": content, "speaker": speaker, "statistics": statistics()}


def statistics():
    return mean_face_statistics(np.random.default_rng(0).normal(size=256) / 16)


@pytest.fixture(scope="module")
def portrait(networks):
    return Portrait(**networks, translation=Copier(), backend=make_backend("dlib"))


@pytest.fixture(scope="module")
def image(photo, tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "me.png"
    cv2.imwrite(str(path), photo[..., ::-1])
    return path


@pytest.fixture(autouse=True)
def _quick_voices(monkeypatch):
    """The speaker encoder, which takes a second to load, is tested elsewhere."""

    def embed(wav):
        return np.random.default_rng(len(wav)).normal(size=256).astype(np.float32) / 16

    monkeypatch.setattr(motion, "speaker_embedding", embed)


@pytest.mark.parametrize(("seconds", "rate"), [(0.2, 16000), (1.33, 22050), (2.0, 44100)])
def test_video_is_as_long_as_its_sound(portrait, image, tmp_path, seconds, rate):
    out = tmp_path / "out.mp4"
    result = portrait.render(image, speech(seconds, rate), rate, out)
    frames = list(read_frames(out))
    assert len(frames) == result.num_frames == round(25 * seconds) and frames[0].shape == (240, 240, 3)
    wav, heard_rate = read_audio(out)
    assert abs(len(wav) / heard_rate - seconds) <= 0.04
    assert list(tmp_path.iterdir()) == [out]


def test_only_the_head_moves(portrait, image, photo, tmp_path):
    portrait.render(image, speech(1.0), RATE, tmp_path / "o.mp4", PortraitOptions(crf=1))
    frames = np.stack(list(read_frames(tmp_path / "o.mp4"))).astype(int)
    x1, y1, x2, y2 = map(int, portrait.prepare(image).face_box(cropped=False))
    assert np.abs(np.diff(frames[:, y1:y2, x1:x2], axis=0)).mean() > 1
    side = 240 - 12
    steady = np.abs(frames[1:, :, side:] - frames[:1, :, side:]).max()
    assert steady <= 6  # of the encoder
    assert np.abs(frames[0, :, side:] - photo[:, side:]).mean() < 3


def test_crop_and_rate(portrait, image, tmp_path):
    result = portrait.render(
        image, speech(0.6), RATE, tmp_path / "o.mp4", PortraitOptions(crop=True, fps=62.5, published=True)
    )
    info = probe(tmp_path / "o.mp4")
    assert (info.width, info.height, result.num_frames) == (128, 128, 38) and info.fps == pytest.approx(62.5)
    box = portrait.prepare(image).face_box(cropped=True)
    assert 0 < box[0] < box[2] < 128


def movement(portrait, image, wav, **options):
    """Landmarks of a rendering, (T, 68, 3) normalised, and the face at rest."""
    options = PortraitOptions(**{"blink": False, **options})
    head = module.make_head(*module.read_photo(image, portrait.backend), 128, portrait.statistics.std_face[:, 2])
    return np.concatenate(list(portrait.motion.landmarks(head.face, wav.copy(), options))), head.face


def test_options_change_the_movement(portrait, image, tmp_path):
    wav = speech(1.0)
    moved, face = movement(portrait, image, wav)
    assert moved.shape == (63, 68, 3)
    still, _ = movement(portrait, image, wav, amp_pos=0.0)
    others = np.r_[0:27, 28:48]  # without the nose's top, which is always straightened
    jaw_and_eyes = np.ptp(still[:, others], axis=0).max(), np.ptp(moved[:, others], axis=0).max()
    assert np.ptp(moved, axis=0).mean() > 0 and jaw_and_eyes[0] != jaw_and_eyes[1]
    no_lips, _ = movement(portrait, image, wav, amp_pos=0.0, amp_lip_y=0.0)
    assert np.ptp(no_lips[:, 48:, 1]) < np.ptp(still[:, 48:, 1]) + 1e-6
    assert np.abs(no_lips[:, 48:, 1] - face[48:, 1]).max() < 1e-5
    write_audio(tmp_path / "other.wav", speech(0.9, seed=2), RATE)
    other, _ = movement(portrait, image, wav, reuse_speaker=str(tmp_path / "other.wav"))
    assert np.abs(other - moved).max() > 1e-5
    with open(tmp_path / "emb.pickle", "wb") as file:
        pickle.dump({"me": np.zeros(256, np.float32)}, file)
    known, _ = movement(portrait, image, wav, reuse_speaker=f"{tmp_path}/emb.pickle:me")
    assert np.abs(known - moved).max() > 1e-5
    with pytest.raises(ValueError, match="has no speaker 'you'; it has me"):
        movement(portrait, image, wav, reuse_speaker=f"{tmp_path}/emb.pickle:you")
    blinking, _ = movement(portrait, image, speech(2.0), amp_pos=0.0, blink=True)
    opening = blinking[:, 41, 1] - blinking[:, 37, 1]
    assert opening.min() < 0.4 * np.median(opening) and abs(int(opening.argmin()) - 30) <= 1


@pytest.mark.parametrize("level", [0.0, 1e-3])
def test_silence_leaves_the_mouth_at_rest(portrait, image, level):
    noise = level * np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    silent, face = movement(portrait, image, noise, amp_pos=0.0)
    talking, _ = movement(portrait, image, speech(1.0), amp_pos=0.0)
    assert np.abs(silent[:, 48:] - face[48:]).max() < 1e-4 < 10 * np.abs(talking[:, 48:] - face[48:]).max()
    ungated, _ = movement(portrait, image, noise, amp_pos=0.0, gate=False)
    assert (np.abs(ungated[:, 48:] - face[48:]).max() > 1e-3) == (level > 0)
    pause, _ = movement(portrait, image, np.concatenate([speech(1.0), noise, noise]), amp_pos=0.0)
    assert np.abs(pause[110:, 48:] - face[48:]).max() < 1e-4


def test_pieces_of_sound_join_without_a_jump(portrait, monkeypatch):
    wav = speech(4.1)
    whole = np.concatenate(list(portrait.motion._contents(wav)))
    assert whole.shape == (1 + len(wav) // 256, 80)
    monkeypatch.setattr(motion, "PIECE", 100)
    pieces = list(portrait.motion._contents(wav))
    assert [len(piece) for piece in pieces] == [100, 100, 57]
    assert np.abs(np.concatenate(pieces) - whole).mean() < 0.1 * whole.std()


def test_sound_is_converted_while_landmarks_are_taken(portrait, monkeypatch):
    monkeypatch.setattr(motion, "PIECE", 300)
    sounding, face, options = speech(25.0), portrait.statistics.std_face, PortraitOptions(blink=False)
    moving, convert, converted = portrait.motion, portrait.motion.features.convert, []
    wav = motion.drive_sound(sounding, level=False)
    au = moving.statistics.normalise(np.concatenate(list(moving._contents(wav))))
    voice, share = motion._speaker(sounding, None), motion.speaking(wav)
    whole = list(motion.finish(moving.animator.stream(au, voice, face, options, share), options))
    monkeypatch.setattr(moving.features, "convert", lambda *given: converted.append(1) or convert(*given))
    landmarks = moving.landmarks(face, sounding, options)
    first = next(landmarks)
    assert len(converted) == 3  # two pieces of landmarks
    assert np.array_equal(np.concatenate([first, *landmarks]), np.concatenate(whole)) and len(converted) == 6


def test_rate_of_landmarks():
    line = np.arange(250.0)[:, None, None] * np.ones((68, 3))
    for fps, blocks in (
        (25, [line[:7], line[7:8], line[8:]]),
        (62.5, [line]),
        (30, np.array_split(line, 90)),
    ):
        given = np.stack(list(at_rate(blocks, fps, round(250 / 62.5 * fps))))
        wanted = np.minimum(np.arange(len(given)) * 62.5 / fps, 249)
        np.testing.assert_allclose(given[:, 0, 0], wanted)
    assert [x[0, 0] for x in at_rate([line[:3]], 62.5, 5)] == [0, 1, 2, 2, 2]


def test_file_says_that_it_is_synthetic(portrait, image, tmp_path):
    portrait.render(image, speech(0.3), RATE, tmp_path / "o.mp4", PortraitOptions(amp_pos=0.2, watermark="AI"))
    with av.open(str(tmp_path / "o.mp4")) as container:
        about = json.loads(container.metadata["comment"])
    assert about["synthetic"] is True and about["settings"] == {"amp_pos": 0.2, "watermark": "AI"}
    assert about["face"] == "me.png" and about["model"] == "Copier (copier)"
    marked = next(iter(read_frames(tmp_path / "o.mp4"))).astype(int)
    portrait.render(image, speech(0.3), RATE, tmp_path / "p.mp4", PortraitOptions(amp_pos=0.2))
    plain = next(iter(read_frames(tmp_path / "p.mp4"))).astype(int)
    assert np.abs(marked - plain)[220:, 180:].max() > 50


def test_experiments_are_found(networks, tmp_path, image):
    translation = ImageTranslation(ngf=4)
    for name, network in {**networks, "translation": translation}.items():
        if name == "statistics":
            continue
        folder = tmp_path / f"makeittalk_{name}_x"
        options = {key: value for key, value in network.options.items() if isinstance(value, int | float)}
        save_config(folder, {"task": f"makeittalk_{name}", "model": options, "data": {"img_size": 64}})
        save_checkpoint(folder / "latest.pth", network)
    statistics().save(tmp_path / "makeittalk_content_x" / "statistics.npz")
    portrait = Portrait.from_exp(tmp_path, face_backend="dlib", engine="torch", device="cpu", precision="fp32")
    assert portrait.engine.img_size == 64 and not portrait.official
    assert portrait.name == "makeittalk_translation_x (torch fp32)"
    assert portrait.render(image, speech(0.2), RATE, tmp_path / "o.mp4").num_frames == 5
    bare = tmp_path / "bare.pth"
    save_checkpoint(bare, networks["content"])
    given = {**networks, "content": bare, "translation": Copier()}
    assert Portrait(**given, backend=portrait.backend).official
    with pytest.raises(FileNotFoundError, match="statistics"):
        Portrait(**{**given, "statistics": None}, backend=portrait.backend)
    (tmp_path / "makeittalk_speaker_x" / "latest.pth").unlink()
    with pytest.raises(FileNotFoundError, match=r"makeittalk_speaker_\*.*run stage 13"):
        Portrait.from_exp(tmp_path)
    with pytest.raises(ValueError, match="bare.pth holds a ContentBranch, not a SpeakerBranch"):
        Portrait(**{**given, "speaker": bare}, backend=portrait.backend)


def test_bad_input_is_named_and_leaves_nothing(portrait, image, tmp_path):
    out = tmp_path / "out.mp4"
    with pytest.raises(ValueError, match="0.050 s"):
        portrait.render(image, speech(0.05), RATE, out)
    with pytest.raises(FileNotFoundError, match="gone.png"):
        portrait.render(tmp_path / "gone.png", speech(1), RATE, out)
    with pytest.raises(FileNotFoundError, match="gone.wav"):
        portrait.render_file(image, tmp_path / "gone.wav", out)
    with pytest.raises(FileNotFoundError, match="gone.wav"):
        portrait.render(image, speech(0.5), RATE, out, PortraitOptions(reuse_speaker="gone.wav"))
    for wrong in ({"fps": 100}, {"start": -1}, {"amp_pos": float("nan")}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            PortraitOptions(**wrong)
    assert list(tmp_path.iterdir()) == []
