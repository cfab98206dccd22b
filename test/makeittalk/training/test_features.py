"""Stage 11."""

import kaldiio
import numpy as np
import pytest
import soundfile
import torch

from silvertalk.bin import makeittalk_statistics
from silvertalk.data import PartWriter, combine_parts, read_scp
from silvertalk.face.detect.depth import mean_face
from silvertalk.makeittalk.networks import AutoVC
from silvertalk.makeittalk.statistics import Statistics
from silvertalk.makeittalk.training import features
from silvertalk.makeittalk.training.clips import load_portrait_clips
from silvertalk.makeittalk.training.features import dump_portraits, fill_gaps, resample, target_voice
from silvertalk.media import VideoWriter, read_window

F = 30  # pictures of a clip


@pytest.fixture(autouse=True)
def embedding(monkeypatch):
    """Voices are described by their loudness, which is quicker than resemblyzer."""
    monkeypatch.setattr(features, "speaker_embedding", lambda wav: np.full(256, np.abs(wav).max(), np.float32))
    monkeypatch.setattr("silvertalk.makeittalk.sound.embed_voice", lambda pcm: np.full(256, 1 / 16, np.float32))


@pytest.fixture(scope="module")
def autovc():
    with torch.random.fork_rng():
        return AutoVC(neck=2, pre=16)


@pytest.fixture
def face_dump(tmp_path):
    """A dump of stage 4: a head of 60 pixels that nods and speaks, its mouth a dark spot."""

    def write(name: str, clips: dict[str, tuple[str, float]], state=None, num_frames: int = F):
        folder = tmp_path / "face" / name
        folder.mkdir(parents=True)
        with PartWriter(folder, 1) as out:
            for utt_id, (spk, loudness) in clips.items():
                points = np.repeat(0.5 * mean_face()[None] + [80, 50, 0], num_frames, axis=0)
                points[:, :, 1] += 3 * np.sin(np.arange(num_frames) / 4)[:, None]
                points[::2, [57, 66], 1] += 4
                points[..., 2] = 0
                with VideoWriter(folder / f"{utt_id}.mp4", 25) as video:
                    for face in points:
                        picture = np.full((120, 160, 3), 200, np.uint8)
                        x, y = face[62, :2].astype(int)
                        picture[y - 3 : y + 4, x - 8 : x + 9] = 10
                        video.write(picture)
                wav = loudness * np.random.default_rng(0).uniform(-1, 1, num_frames * 640)
                soundfile.write(folder / f"{utt_id}.flac", wav, 16000)
                values = {
                    "audio.scp": folder / f"{utt_id}.flac", "source_video.scp": folder / f"{utt_id}.mp4",
                    "source_start": 0.0, "utt2spk": spk,
                }  # fmt: skip
                matrices = {"landmarks": points.reshape(num_frames, -1)}
                out.add(utt_id, matrices | ({} if state is None else {"face_state": state}), values)
        combine_parts(folder, clips)
        return folder

    return write


def matrix(folder, name, utt_id):
    return kaldiio.load_mat(read_scp(folder / f"{name}.scp")[utt_id])


def test_dump_has_what_training_reads(face_dump, autovc, tmp_path, caplog):
    source = face_dump("tr_no_dev", {"a-1": ("a", 0.3), "b-1": ("b", 0.5), "b-2": ("b", 0.7)})
    out = tmp_path / "dump" / "tr_no_dev"
    for job in (1, 2):
        dump_portraits(source, out, job, 2, autovc, portrait_size=64)
    assert combine_parts(out, read_scp(source / "utt2spk")) == (3, {})
    clips = load_portrait_clips(out, min_frames=70, min_pictures=F)
    assert [clip.utt_id for clip in clips] == ["a-1", "b-1", "b-2"]
    # The voice of the speaker with most utterances.
    np.testing.assert_allclose(np.load(tmp_path / "dump" / "target_embedding.npy"), 0.6, atol=1e-3)

    num_frames = int(read_scp(out / "utt2num_frames")["a-1"])
    assert num_frames == 75  # 1.2 s at 62.5 a second
    shapes = {name: matrix(out, name, "a-1").shape for name in ("content", "embedding", "pose", "crop")}
    assert shapes == {"content": (75, 80), "embedding": (1, 256), "pose": (75, 7), "crop": (1, 4)}
    landmarks, registered = (matrix(out, name, "a-1").reshape(75, 68, 3) for name in ("landmarks", "registered"))
    scale = 1.6 / 71  # of the 71 pixels between the ends of the jaw
    nod = 3 * np.sin(np.arange(75) / 2.5 / 4)
    np.testing.assert_allclose(
        landmarks[:72, 30, 1] - landmarks[0, 30, 1], scale * (nod - nod[0])[:72], atol=0.02 * 3 * scale
    )
    assert np.ptp(registered[:, 30, 1]) < 0.02 * np.ptp(landmarks[:, 30, 1])  # the head is held still
    opening = registered[:, 66, 1] - registered[:, 62, 1]
    assert np.corrcoef(opening[:70], np.interp(np.arange(70) / 2.5, np.arange(F), np.arange(F) % 2 == 0))[0, 1] > 0.9
    assert np.abs(matrix(out, "pose", "a-1")[:, :3]).max() < 0.05  # looks ahead

    # The stored square holds the mouth where its landmarks say.
    on_picture = matrix(out, "picture_landmarks", "a-1").reshape(F, 68, 3)
    for k in (0, 11):
        picture = read_window(read_scp(out / "video.scp")["a-1"], k, 1)[0]
        assert picture.shape == (64, 64, 3)
        dark = np.argwhere(picture[..., 1] < 100).mean(axis=0)[::-1]
        assert np.abs(dark - on_picture[k, 62, :2]).max() < 1
    x1, y1, x2, y2 = matrix(out, "crop", "a-1")[0]
    assert x2 - x1 == y2 - y1 and x1 < 80 - 40 and x2 > 80 + 40 and y1 < 10

    makeittalk_statistics.makeittalk_statistics(str(out), [str(out)])
    assert "2 speakers are in the training set, too (the first: a)" in caplog.text
    shared = Statistics.load(tmp_path / "dump")
    np.testing.assert_allclose(shared.target_embedding, 0.6, atol=1e-3)
    np.testing.assert_allclose(shared.std_face, registered.mean(axis=0), atol=0.02)


def test_stopped_job_goes_on_and_the_second_set_takes_the_first_ones_voice(face_dump, autovc, tmp_path, monkeypatch):
    train, dev = face_dump("tr_no_dev", {"a-1": ("a", 0.3)}), face_dump("dev", {"c-1": ("c", 0.9)})
    dump_portraits(train, tmp_path / "dump" / "tr_no_dev", 1, 1, autovc, 32)
    dump_portraits(dev, tmp_path / "dump" / "dev", 1, 1, autovc, 32)
    np.testing.assert_allclose(np.load(tmp_path / "dump" / "target_embedding.npy"), 0.3, atol=1e-3)
    monkeypatch.setattr(features, "_dump_utterance", lambda *args: pytest.fail("done before"))
    dump_portraits(train, tmp_path / "dump" / "tr_no_dev", 1, 1, autovc, 32)


def test_given_statistics_are_used(face_dump, autovc, tmp_path):
    face = 1.1 * np.float32(mean_face() / 89)
    given = Statistics(np.zeros(80), np.ones(80), face, face[features.ANCHORS], np.full(256, 0.1))
    given.save(tmp_path / "given.npz")
    source, out = face_dump("tr_no_dev", {"a-1": ("a", 0.3)}), tmp_path / "dump" / "tr_no_dev"
    dump_portraits(source, out, 1, 1, autovc, 32, tmp_path / "given.npz")
    assert not (tmp_path / "dump" / "target_embedding.npy").exists()
    combine_parts(out, ["a-1"])
    # Registered on its points: their middles agree.
    nine = matrix(out, "registered", "a-1").reshape(-1, 68, 3)[:, features.ANCHORS].mean(axis=1)
    np.testing.assert_allclose(nine, np.tile(given.anchor_t_shape.mean(axis=0), (75, 1)), atol=1e-4)
    arguments = ["--train_dir", str(out), "--statistics", str(tmp_path / "given.npz")]
    makeittalk_statistics.main(arguments)
    np.testing.assert_array_equal(Statistics.load(tmp_path / "dump").std_face, given.std_face)


def test_what_cannot_be_used_is_skipped_and_says_why(face_dump, autovc, tmp_path, caplog):
    away = np.zeros((F, 1), np.float32)
    away[8:22] = 1
    sets = {
        "gap": (face_dump("gap", {"a-1": ("a", 0.3)}, away), "from 0.32 to 0.88 s"),
        "short": (face_dump("short", {"a-1": ("a", 0.3)}, None, 20), "less than 1.0 s"),
    }
    for name, (source, reason) in sets.items():
        dump_portraits(source, tmp_path / "dump" / name, 1, 1, autovc, 32)
        with pytest.raises(RuntimeError, match=reason):
            combine_parts(tmp_path / "dump" / name, ["a-1"])
    assert caplog.text.count("skipped a-1") == 2


def test_short_gaps_are_interpolated_and_listed(face_dump, autovc, tmp_path):
    away = np.zeros((F, 1), np.float32)
    away[8:12] = 2
    out = tmp_path / "dump" / "tr_no_dev"
    dump_portraits(face_dump("tr_no_dev", {"a-1": ("a", 0.3)}, away), out, 1, 1, autovc, 32)
    combine_parts(out, ["a-1"])
    assert read_scp(out / "utt2gaps") == {"a-1": "0.32-0.48"}
    points = np.arange(10.0)[:, None, None] * np.ones((10, 68, 3))
    seen = np.ones(10, bool)
    seen[[0, 4, 5]] = False
    broken = np.where(seen[:, None, None], points, 99)
    expected = points.copy()
    expected[0] = 1  # held
    np.testing.assert_allclose(fill_gaps(broken, seen), expected)


def test_dump_of_mouths_is_refused(tmp_path, autovc):
    (tmp_path / "utt2spk").write_text("a-1 a\n")
    with pytest.raises(FileNotFoundError, match=r"audio.scp; run stages 3 and 4"):
        dump_portraits(tmp_path, tmp_path / "out", 1, 1, autovc)
    with pytest.raises(FileNotFoundError, match="stages 3 and 4"):
        target_voice(tmp_path, tmp_path / "voice.npy")


def test_resampling_keeps_time():
    times = np.arange(20) / 25
    points = np.sin(2 * np.pi * 2 * times)[:, None, None] * np.ones((20, 68, 3))
    result = resample(points, 50)
    np.testing.assert_allclose(result[:48, 0, 0], np.sin(2 * np.pi * 2 * np.arange(48) / 62.5), atol=0.01)
    np.testing.assert_array_equal(result[48], points[-1])


def test_points_of_the_98_point_detector_are_added(face_dump, autovc, tmp_path, monkeypatch):
    class Detector:
        def __init__(self, weights):
            assert weights == "WFLW_4HG.pth"

        def combined(self, picture, points):
            return np.full((74, 2), picture.shape[0]) + points[0, :2] * 0

    monkeypatch.setattr("silvertalk.face.detect.awing.AwingDetector", Detector)
    out = tmp_path / "dump" / "tr_no_dev"
    source = face_dump("tr_no_dev", {"a-1": ("a", 0.3)})
    dump_portraits(source, out, 1, 1, autovc, 32, awing_weights="WFLW_4HG.pth")
    combine_parts(out, ["a-1"])
    np.testing.assert_array_equal(matrix(out, "picture_landmarks_74", "a-1"), np.full((F, 148), 32))
    assert load_portrait_clips(out, min_pictures=2, num_points=74)[0].num_pictures == F
