"""From a face and a sound to a video."""

import numpy as np
import pytest
import torch

from silvertalk.face import NoFaceError, Track, make_backend
from silvertalk.media import probe, read_audio, read_frames, write_audio
from silvertalk.wav2lip import Wav2Lip, lipsync
from silvertalk.wav2lip.lipsync import LipSync, _back_and_forth, _mel_windows

RATE = 16000


@pytest.fixture(scope="module")
def renderer():
    """A small untrained generator."""
    torch.manual_seed(0)
    return LipSync(Wav2Lip(width=0.0625), make_backend("dlib"))


def noise(seconds, rate=RATE):
    """Sound."""
    return 0.1 * np.random.default_rng(0).normal(size=round(seconds * rate)).astype(np.float32)


@pytest.mark.parametrize(("seconds", "rate"), [(0.5, 16000), (1.33, 22050), (4.7, 44100)])
def test_output_is_as_long_as_its_sound(renderer, face_video, tmp_path, seconds, rate):
    out = tmp_path / "out.mp4"
    result = renderer.render(face_video, noise(seconds, rate), rate, out)
    frames = sum(1 for _ in read_frames(out))
    assert frames == result.num_frames and abs(frames / 25 - seconds) <= 0.04
    assert abs(len(read_audio(out)[0]) / rate - seconds) <= 0.04
    assert list(tmp_path.iterdir()) == [out]


def test_photo(renderer, photo, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "face.png"), photo[..., ::-1])
    write_audio(tmp_path / "a.wav", noise(1.0), RATE)
    result = renderer.sync_file(tmp_path / "face.png", tmp_path / "a.wav", tmp_path / "out.mp4")
    assert result.num_frames == 25 and result.seconds_without_face == 0
    info = probe(tmp_path / "out.mp4")
    assert (info.width, info.height, info.fps, info.has_audio) == (240, 240, 25.0, True)


def test_only_the_lower_face_changes(renderer, face_video, tmp_path):
    renderer.render(face_video, noise(0.6), RATE, tmp_path / "out.mp4")
    for before, after in zip(read_frames(face_video), read_frames(tmp_path / "out.mp4"), strict=False):
        difference = np.abs(before.astype(int) - after).mean(2)
        assert difference[:60].mean() < 4 < difference.max()


def test_forwards_and_backwards_without_a_jump(face_video, monkeypatch):
    monkeypatch.setattr(lipsync, "REVERSE_CHUNK", 7)
    length = 50
    track = Track(np.arange(length * 4.0).reshape(length, 4), np.zeros((length, 68, 3)), np.ones(length, bool))
    shown = [(int(box[0] / 4), frame) for frame, box in _back_and_forth(face_video, track, 130, 0.0, 25)]
    numbers = [number for number, _ in shown]
    assert numbers[:100] == [*range(50), *range(48, -1, -1), 1]
    assert len(numbers) == 130 and np.abs(np.diff(numbers)).max() == 1
    frames = list(read_frames(face_video))
    for number, frame in shown[40:110]:
        assert (frame == frames[number]).all()


def test_every_frame_gets_a_whole_window():
    windows = list(_mel_windows(noise(2.0), RATE, 50, 25))
    assert len(windows) == 50 and all(w.shape == (1, 80, 16) for w in windows)
    assert (windows[-1][..., -8:] == -4).all()  # silence after the end, not a repeated tail


def test_bad_input_is_named_and_leaves_nothing(renderer, face_video, tmp_path):
    out = tmp_path / "out.mp4"
    (tmp_path / "broken.mp4").write_bytes(b"\0" * 1000)
    with pytest.raises(ValueError, match="0.050 s"):
        renderer.render(face_video, noise(0.05), RATE, out)
    with pytest.raises(RuntimeError, match="broken.mp4"):
        renderer.render(tmp_path / "broken.mp4", noise(1), RATE, out)
    with pytest.raises(FileNotFoundError, match="gone.mp4"):
        renderer.render(tmp_path / "gone.mp4", noise(1), RATE, out)
    from silvertalk.media import VideoWriter

    with VideoWriter(tmp_path / "empty.mp4", 25) as video:
        for _ in range(10):
            video.write(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(NoFaceError, match="empty.mp4: no face found"):
        renderer.render(tmp_path / "empty.mp4", noise(1), RATE, out)
    assert {p.name for p in tmp_path.iterdir()} == {"broken.mp4", "empty.mp4"}
