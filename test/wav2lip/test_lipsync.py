"""From a face and a sound to a video."""

import io
import json
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest
import torch

from silvertalk.engine.runtimes import Engine
from silvertalk.face import NoFaceError, make_backend
from silvertalk.face.source import FaceSource, make_avatar
from silvertalk.media import VideoWriter, probe, read_audio, read_frames, read_pictures, write_audio
from silvertalk.media.sound import Sound, exactly, mixed
from silvertalk.talker import playback
from silvertalk.talker.options import RenderOptions
from silvertalk.talker.playback import play, playing_order
from silvertalk.wav2lip import Wav2Lip
from silvertalk.wav2lip.convert import generator_shapes
from silvertalk.wav2lip.lipsync import LipSync

RATE = 16000


@pytest.fixture(scope="module")
def renderer():
    """A small untrained generator."""
    torch.manual_seed(0)
    return LipSync(Wav2Lip(width=0.0625), make_backend("dlib"), engine="torch")


class Repeater(Engine):
    """Draws what it listens to: grey where it is silent, bright where the mel is high."""

    def __init__(self):
        super().__init__("repeater", generator_shapes(96), 4)
        self.heard = []

    def _run(self):
        level = self.inputs["mel"].mean(axis=(1, 2, 3))
        self.heard += level.tolist()
        return np.broadcast_to(np.clip(0.5 + level / 8, 0, 1)[:, None, None, None], (self.batch_size, 3, 96, 96))


def noise(seconds, rate=RATE):
    """Sound."""
    return 0.1 * np.random.default_rng(0).normal(size=round(seconds * rate)).astype(np.float32)


def syllables(seconds, rate=RATE):
    """Something like speech: a voice of gliding pitch, four syllables a second."""
    t = np.arange(round(seconds * rate)) / rate
    voice = np.sign(np.sin(2 * np.pi * (130 * t + 3 * np.sin(2 * np.pi * t))))
    return (0.2 * voice * (1.02 - np.cos(2 * np.pi * 4 * t)) / 2).astype(np.float32)


@pytest.mark.parametrize(("seconds", "rate"), [(0.5, 16000), (1.33, 22050), (3.7, 44100), (1.0, 8000), (1.0, 96000)])
def test_output_is_as_long_as_its_sound(renderer, face_video, tmp_path, seconds, rate):
    out = tmp_path / "out.mp4"
    result = renderer.render(face_video, noise(seconds, rate), rate, out)
    frames = sum(1 for _ in read_frames(out))
    assert frames == result.num_frames and abs(frames / 25 - seconds) <= 0.04
    wav, heard_rate = read_audio(out)
    assert abs(len(wav) / heard_rate - seconds) <= 0.04
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("fps", [25, 30, 30000 / 1001, 12.5])
def test_rate_of_the_result(renderer, photo, tmp_path, fps):
    with VideoWriter(tmp_path / "in.mp4", fps) as out:
        for k in range(round(fps)):
            out.write(np.roll(photo, k % 3, axis=1))
    result = renderer.render(tmp_path / "in.mp4", noise(1.0), RATE, tmp_path / "own.mp4")
    assert result.num_frames == round(fps) and probe(tmp_path / "own.mp4").fps == pytest.approx(fps, abs=1e-3)
    renderer.render(tmp_path / "in.mp4", noise(1.0), RATE, tmp_path / "25.mp4", RenderOptions(fps=25))
    assert probe(tmp_path / "25.mp4").fps == 25


def test_photo(renderer, photo, tmp_path):
    cv2.imwrite(str(tmp_path / "face.png"), photo[..., ::-1])
    write_audio(tmp_path / "a.wav", noise(1.0), RATE)
    result = renderer.render_file(tmp_path / "face.png", tmp_path / "a.wav", tmp_path / "out.mp4")
    assert result.num_frames == 25 and result.seconds_without_face == 0
    info = probe(tmp_path / "out.mp4")
    assert (info.width, info.height, info.fps, info.has_audio) == (240, 240, 25.0, True)


@pytest.mark.parametrize("quality", ["fast", "improved"])
def test_only_the_lower_face_changes(renderer, face_video, quality):
    options = RenderOptions(quality=quality)
    rendering = renderer.open(face_video, Sound.from_array(noise(0.6), RATE), options)
    boxes = rendering.faces[0].track.bbox
    for number, (before, after) in enumerate(zip(read_pictures(face_video), rendering.pictures(), strict=False)):
        x1, y1, x2, y2 = boxes[number]
        differs = before.luma != after.luma
        assert differs.any()
        rows, columns = np.nonzero(differs)
        assert rows.min() >= (y1 + y2) / 2 - 0.08 * (y2 - y1) and rows.max() <= y2 + 1
        assert columns.min() >= x1 - 1 and columns.max() <= x2 + 1
        assert (
            before.rgb() == next(read_pictures(face_video, start=number / 25)).rgb()
        ).all()  # input is not written to


def test_forwards_and_backwards_without_a_jump(face_video, monkeypatch):
    monkeypatch.setattr(playback, "REVERSE_CHUNK", 7)
    source = FaceSource(face_video, backend="dlib")
    numbers = list(playing_order(50, 130))
    assert numbers[:100] == [*range(50), *range(48, -1, -1), 1]
    assert len(numbers) == 130 and max(abs(a - b) for a, b in pairwise(numbers)) == 1
    frames = list(read_frames(face_video))
    for number, picture in list(play(source, numbers))[40:110]:
        assert (picture.rgb() == frames[number]).all()
    assert list(playing_order(3, 6, "hold")) == [0, 1, 2, 2, 2, 2] and list(playing_order(1, 3)) == [0, 0, 0]
    assert list(playing_order(2, 5)) == [0, 1, 0, 1, 0]


def test_every_frame_gets_a_whole_window():
    windows = LipSync(Repeater()).listen(noise(2.0), 50, 25)
    assert all(windows[k].shape == (80, 16) for k in range(50))
    assert (windows[49][:, -8:] == -4).all()  # silence after the end, not a repeated tail


def test_lips_listen_to_the_sound_of_their_frame(face_video, tmp_path):
    wav = np.concatenate([np.zeros(RATE), syllables(1.0)]).astype(np.float32)
    engine = Repeater()
    LipSync(engine, make_backend("dlib")).render(face_video, wav, RATE, tmp_path / "o.mp4")
    heard = np.array(engine.heard[:50])
    assert (heard[:20] == -4).all() and (heard[26:48] > -3.9).all()
    assert 20 <= int(np.argmax(heard > -3.9)) <= 25


def test_silence_closes_the_lips(face_video, tmp_path):
    """Background noise alone reaches the network as silence, unless the gate is off."""
    wav = np.concatenate([syllables(1.0), np.zeros(2 * RATE), syllables(1.0)])
    wav = (wav + 0.002 * np.random.default_rng(0).normal(size=len(wav))).astype(np.float32)
    quietest = {}
    for gate in (True, False):
        engine = Repeater()
        LipSync(engine, make_backend("dlib")).render(
            face_video, wav, RATE, tmp_path / "o.mp4", RenderOptions(gate=gate)
        )
        heard = np.array(engine.heard[:100])
        quietest[gate] = heard[38:60]
        assert (heard[:18] > -3).all()
    assert (quietest[True] == -4).all() and (quietest[False] > -4).all()


def test_quiet_and_loud_speech_drive_alike(face_video, tmp_path):
    levels = []
    for gain in (0.01, 1.0):
        engine = Repeater()
        LipSync(engine, make_backend("dlib")).render(face_video, gain * syllables(1.0), RATE, tmp_path / "o.mp4")
        levels.append(np.mean(engine.heard[:20]))
    assert abs(levels[0] - levels[1]) < 1.2  # 40 dB would be 3.2


def test_frames_without_a_face_are_passed_through(renderer, photo, tmp_path, caplog):
    scenery = np.random.default_rng(0).integers(0, 40, photo.shape, dtype=np.uint8)
    with VideoWriter(tmp_path / "in.mp4", 25) as out:
        for k in range(60):
            out.write(scenery if 20 <= k < 40 else photo)
    rendering = renderer.open(tmp_path / "in.mp4", Sound.from_array(syllables(2.4), RATE))
    for number, (before, after) in enumerate(
        zip(read_pictures(tmp_path / "in.mp4"), rendering.pictures(), strict=True)
    ):
        same = all((a == b).all() for a, b in zip(before.planes, after.planes, strict=True))
        assert same == (20 <= number < 40)
    result = renderer.render(tmp_path / "in.mp4", syllables(2.4), RATE, tmp_path / "out.mp4")
    assert result.spans_without_face == [(0.8, 1.6)] and result.seconds_without_face == pytest.approx(0.8)
    assert "passed through" in caplog.text and "0.80-1.60 s" in caplog.text


def test_sound_is_held_by_one_rendering_only_while_needed(renderer, face_video):
    sound = Sound.from_array(syllables(1.2), RATE)
    renderer.open(face_video, sound)
    assert sound.wav is None and sound.seconds == pytest.approx(1.2)
    with pytest.raises(ValueError, match="sound: has been rendered"):
        renderer.open(face_video, sound)


def test_two_faces_with_a_sound_each(photo, tmp_path):
    both = np.hstack([photo, photo])
    cv2.imwrite(str(tmp_path / "both.png"), both[..., ::-1])
    silence, speech = np.zeros(RATE, np.float32), syllables(1.0)
    engine = Repeater()
    lipsync = LipSync(engine, make_backend("dlib"))
    sounds = {"0": Sound.from_array(silence, RATE), "1": Sound.from_array(speech, RATE)}
    lipsync.render_sounds(tmp_path / "both.png", sounds, tmp_path / "out.mp4")
    frame = list(read_frames(tmp_path / "out.mp4"))[12].astype(int)
    left, right = np.abs(frame[:, :240] - both[:, :240]), np.abs(frame[:, 240:] - both[:, 240:])
    assert left[140:].max() > 30 and right[140:].max() > 30
    spoken = np.array(engine.heard[:48]).reshape(-1, 2)  # left and right face of each frame
    assert (spoken[:, 0] == -4).all() and (spoken[:20, 1] > -3.9).all()
    heard, rate = read_audio(tmp_path / "out.mp4")
    assert heard.std() == pytest.approx(speech.std(), rel=0.2)


@pytest.mark.parametrize("channels", [1, 2])
def test_soundtracks(renderer, face_video, tmp_path, channels):
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * 44100) / 44100).astype(np.float32) * 0.3
    with VideoWriter(tmp_path / "in.mp4", 25, np.stack([tone, 0 * tone][:channels]), 44100) as out:
        for frame in read_frames(face_video):
            out.write(frame)
    write_audio(tmp_path / "speech.wav", syllables(1.0), RATE)
    write_audio(tmp_path / "mix.flac", np.ones(22050, np.float32) * 0.1, 22050)
    loud = {}
    for track in ("driving", "original", str(tmp_path / "mix.flac")):
        renderer.render_file(
            tmp_path / "in.mp4", tmp_path / "speech.wav", tmp_path / "o.mp4", RenderOptions(soundtrack=track)
        )
        wav, rate = read_audio(tmp_path / "o.mp4")
        assert abs(len(wav) / rate - 1.0) < 0.04
        loud[track] = (rate, np.abs(np.fft.rfft(wav[: rate // 2])).argmax() * 2)
        with av.open(str(tmp_path / "o.mp4")) as container:
            assert container.streams.audio[0].channels == (channels if track == "original" else 1)
    assert (
        loud["original"] == (44100, 440) and loud["driving"][0] == RATE and loud[str(tmp_path / "mix.flac")][0] == 22050
    )


def test_length_of_the_video(renderer, face_video, tmp_path):
    result = renderer.render(face_video, syllables(0.8), RATE, tmp_path / "o.mp4", RenderOptions(length="video"))
    wav, rate = read_audio(tmp_path / "o.mp4")
    assert result.num_frames == 50 and abs(len(wav) / rate - 2.0) < 0.04
    assert np.abs(wav[rate:]).max() < 0.01 < np.abs(wav[: rate // 2]).max()


def boxes_of(data: bytes) -> list[str]:
    """Names of the top-level boxes of an mp4."""
    names, place = [], 0
    while place < len(data):
        names.append(data[place + 4 : place + 8].decode())
        place += int.from_bytes(data[place : place + 4], "big")
    return names


def test_stream_comes_in_fragments(renderer, face_video, tmp_path):
    make_avatar(face_video, tmp_path / "me", backend="dlib")
    stream = io.BytesIO()
    result = renderer.render(tmp_path / "me", syllables(2.0), RATE, stream)
    names = boxes_of(stream.getvalue())
    assert names[:2] == ["ftyp", "moov"] and names.count("moof") >= 4
    (tmp_path / "o.mp4").write_bytes(stream.getvalue())
    assert sum(1 for _ in read_frames(tmp_path / "o.mp4")) == result.num_frames == 50
    heard, rate = read_audio(tmp_path / "o.mp4")
    lag = np.argmax(np.correlate(heard[: rate // 2], syllables(0.4), "valid"))
    assert lag / rate < 0.02


def test_reader_that_leaves_is_named(renderer, face_video):
    class Closed:
        def write(self, data):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError, match="has gone"):
        renderer.render(face_video, noise(1.0), RATE, Closed())


def test_file_says_that_it_is_synthetic(renderer, face_video, tmp_path):
    renderer.render(face_video, noise(0.4), RATE, tmp_path / "o.mp4", RenderOptions(quality="fast", mask_size=1.1))
    with av.open(str(tmp_path / "o.mp4")) as container:
        about = json.loads(container.metadata["comment"])
    assert about["synthetic"] is True and about["settings"] == {"quality": "fast", "mask_size": 1.1}
    assert about["face"] == face_video.name and about["date"].startswith("20") and about["model"]


def test_preview_is_the_frame_of_the_video(renderer, face_video, tmp_path):
    write_audio(tmp_path / "a.wav", syllables(3.0), RATE)
    renderer.render_file(face_video, tmp_path / "a.wav", tmp_path / "o.mp4", RenderOptions(crf=0))
    frames = list(read_frames(tmp_path / "o.mp4"))
    for number in (0, 30, 60):
        sound = Sound.from_file(tmp_path / "a.wav")
        assert np.abs(renderer.preview(face_video, sound, number).astype(int) - frames[number]).max() <= 4
    with pytest.raises(ValueError, match="75, from 0 on"):
        renderer.preview(face_video, Sound.from_file(tmp_path / "a.wav"), 75)


def test_debug_mask_and_watermark_show(renderer, face_video, tmp_path):
    plain, tinted, marked = (
        renderer.preview(face_video, Sound.from_array(syllables(0.5), RATE), 3, options).astype(int)
        for options in (RenderOptions(), RenderOptions(debug_mask=True), RenderOptions(watermark="AI"))
    )
    assert (tinted[..., 0] - plain[..., 0]).max() > 40 and np.abs(tinted - plain)[:80].max() == 0
    assert np.abs(marked - plain)[220:, 180:].max() > 50 and np.abs(marked - plain)[:200].max() == 0


@pytest.mark.parametrize(
    "options", [{"quality": "best"}, {"loop": "x"}, {"length": "x"}, {"mask": "x"}, {"fps": 0}, {"restore_blend": 2}]
)
def test_bad_options_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        RenderOptions(**options)


def test_bad_input_is_named_and_leaves_nothing(renderer, face_video, tmp_path):
    out = tmp_path / "out.mp4"
    (tmp_path / "broken.mp4").write_bytes(b"\0" * 1000)
    with pytest.raises(ValueError, match="0.050 s"):
        renderer.render(face_video, noise(0.05), RATE, out)
    with pytest.raises(RuntimeError, match="broken.mp4"):
        renderer.render(tmp_path / "broken.mp4", noise(1), RATE, out)
    with pytest.raises(FileNotFoundError, match="gone.mp4"):
        renderer.render(tmp_path / "gone.mp4", noise(1), RATE, out)
    with VideoWriter(tmp_path / "empty.mp4", 25) as video:
        for _ in range(10):
            video.write(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(NoFaceError, match="empty.mp4: no face found"):
        renderer.render(tmp_path / "empty.mp4", noise(1), RATE, out)
    assert {p.name for p in tmp_path.iterdir()} == {"broken.mp4", "empty.mp4"}


def test_pieces_of_sound():
    pieces = [np.ones((2, 5)), np.ones((2, 3))]
    assert np.concatenate(list(exactly(iter(pieces), 6, 4)), axis=1).shape == (2, 6)
    longer = np.concatenate(list(exactly(iter(pieces), 20, 4)), axis=1)
    assert longer.shape == (2, 20) and longer[0].tolist() == [1] * 8 + [0] * 12
    one = mixed([exactly([np.ones((1, 7))], 10, 4), exactly([np.ones((2, 3)), np.ones((2, 7))], 10, 3)])
    assert np.concatenate(list(one), axis=1).tolist() == [[2.0] * 7 + [1.0] * 3]
