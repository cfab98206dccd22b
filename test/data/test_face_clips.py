"""Windows that show a face and have a voice."""

import os

import cv2
import kaldiio
import numpy as np
import pytest

from silvertalk.data import PartWriter, combine_parts, read_scp
from silvertalk.data.face_clips import FaceClip, find_windows, load_face_clips
from silvertalk.media import VideoWriter


@pytest.mark.parametrize(("count", "expected"), [(5, 6), (10, 1), (11, 0), (30, 0)])
def test_without_masks_every_window_counts(count, expected):
    clip = FaceClip("a", "s", "", 10, "")
    assert clip.window_starts(count).tolist() == list(range(expected))


def test_windows_show_the_face_in_every_frame_and_a_voice_in_half():
    usable = np.ones(20, bool)
    usable[8] = False
    assert find_windows(usable, None, 4).tolist() == [0, 1, 2, 3, 4, 9, 10, 11, 12, 13, 14, 15, 16]
    voiced = np.arange(20) >= 14
    assert find_windows(usable, voiced, 4).tolist() == [12, 13, 14, 15, 16]
    assert find_windows(usable, voiced[::-1], 4).tolist() == [0, 1, 2, 3, 4]
    assert not len(find_windows(usable, np.zeros(20, bool), 4))


def test_masks_are_read_from_the_dump(tmp_path):
    with PartWriter(tmp_path, 1) as out:
        state, speech = np.zeros(20), np.ones(20)
        state[10], speech[:12] = 2, 0
        values = {"video.scp": "a.avi", "utt2num_frames": 20, "utt2spk": "s"}
        out.add("s-a", {"mel": np.zeros((64, 80)), "face_state": state, "speech": speech}, values)
    combine_parts(tmp_path, ["s-a"])
    (clip,) = load_face_clips(tmp_path, 10)
    assert clip.window_starts(5).tolist() == [11, 12, 13, 14, 15]
    assert clip.window_starts(5, voiced=False).tolist() == [0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15]
    (tmp_path / "face_state.scp").unlink()
    (tmp_path / "speech.scp").unlink()  # an older dump
    assert len(load_face_clips(tmp_path, 10)[0].window_starts(5)) == 16


def archived(tmp_path, mel):
    """A clip whose spectrogram, the second of its archive, is read when it is asked for."""
    kaldiio.save_ark(str(tmp_path / "mel.ark"), {"a": mel[:3], "b": mel}, scp=str(tmp_path / "mel.scp"))
    return FaceClip("b", "s", "", 10, read_scp(tmp_path / "mel.scp")["b"])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_windows_of_an_archive_are_those_of_the_spectrogram(tmp_path, kind):
    mel = np.random.default_rng(0).normal(size=(32, 80)).astype(kind)
    clip, in_memory = archived(tmp_path, mel), FaceClip("b", "s", "", 10, mel.astype(np.float32))
    assert clip.num_mels() == 32
    for first in (-20, -3, 0, 7, 16, 20, 31, 32, 50):
        np.testing.assert_array_equal(clip.mel_window(first, 16), in_memory.mel_window(first, 16))


def test_an_archive_that_was_cut_off_is_refused_by_name(tmp_path):
    clip = archived(tmp_path, np.zeros((32, 80), np.float32))
    os.truncate(tmp_path / "mel.ark", (tmp_path / "mel.ark").stat().st_size - 1000)
    assert clip.mel_window(0, 16).shape == (1, 80, 16)
    with pytest.raises(RuntimeError, match="mel.ark: ends within a matrix; run the stage that wrote it again"):
        clip.mel_window(16, 16)


def test_pictures_of_another_size_are_means_of_pixels(tmp_path):
    picture = cv2.resize(np.random.default_rng(0).integers(0, 255, (3, 3, 3), np.uint8), (32, 32))
    with VideoWriter(tmp_path / "a.avi", 25, codec="mjpeg", quality=2) as out:
        out.write(picture)
    clip = FaceClip("a", "s", str(tmp_path / "a.avi"), 1, "")
    whole, half = (clip.pictures(0, 1, size)[0] for size in (32, 16))
    assert clip.size() == 32 and half.dtype == np.uint8
    np.testing.assert_allclose(half, whole.reshape(16, 2, 16, 2, 3).mean((1, 3)), atol=0.51)
    np.testing.assert_array_equal(clip.frames(0, 1, 16)[:, 0], half.transpose(2, 0, 1).astype(np.float32) / 255)
