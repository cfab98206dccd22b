"""The whole scoring of a tiny set, with a face backend that reads the mouth from a patch of brightness."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from silvertalk.data import PartWriter, combine_parts, read_scp, write_scp
from silvertalk.evaluate import score_lips
from silvertalk.evaluate.clip import Networks
from silvertalk.evaluate.tables import column, merge_scores
from silvertalk.face.track import stable_boxes
from silvertalk.media import VideoWriter, wav2lip_mel, write_audio
from silvertalk.wav2lip import SyncNet

spec = importlib.util.spec_from_file_location("faces", Path(__file__).with_name("test_lips.py"))
faces = importlib.util.module_from_spec(spec)
spec.loader.exec_module(faces)

LENGTH = 40  # frames
STEP = 15  # brightness per pixel of lip opening


class PatchBackend:
    """Finds the face where the picture is not black; the mouth is as open as the patch is bright."""

    def view(self, frame):
        return frame.rgb()

    def detect(self, rgb):
        return np.array([[100.0, 100.0, 200.0, 200.0]]) if rgb.max() > 30 else np.zeros((0, 4))

    def landmarks(self, rgb, box):
        return faces.speaking([rgb[180:200, 140:160].mean() / STEP])[0]


def write_clip(path, gap, wav=None):
    """A grey picture with a patch for a mouth."""
    with VideoWriter(path, 25, wav, 16000 if wav is not None else None) as out:
        for value in gap:
            frame = np.full((240, 300, 3), 90, np.uint8)
            frame[170:210, 130:170] = np.uint8(value * STEP)
            out.write(frame)


def sound(gap, seed):
    """Noise as loud as the mouth is open."""
    level = np.repeat(gap / 12, 640)
    return (0.3 * level * np.random.default_rng(seed).normal(size=len(level)) / 3).astype(np.float32)


@pytest.fixture
def decoded(tmp_path):
    """Two clips: their face dump, and videos that copy the real mouth (recorded) or the other's (control)."""
    gaps = {"a-0": faces.syllables(LENGTH, 0), "a-1": faces.syllables(LENGTH, 5)}
    dump, decode = tmp_path / "dump", tmp_path / "decode"
    with PartWriter(dump, 1) as out:
        for n, (utt_id, gap) in enumerate(gaps.items()):
            landmarks, wav = faces.speaking(gap), sound(gap, n)
            source, crop, flac = (tmp_path / f"{utt_id}{suffix}" for suffix in (".mp4", ".crop.mp4", ".flac"))
            write_clip(source, gap, wav)
            write_clip(crop, gap)
            write_audio(flac, wav, 16000)
            matrices = {
                "landmarks": landmarks.reshape(LENGTH, -1),
                "bbox": stable_boxes(landmarks),
                "mel": wav2lip_mel(wav).T,
            }
            files = {"audio.scp": flac, "video.scp": crop, "source_video.scp": source}
            values = {k: str(v) for k, v in files.items()} | {
                "utt2spk": "a",
                "source_start": 0.0,
                "utt2detected": "1.000",
            }
            out.add(utt_id, matrices, values)
    combine_parts(dump, list(gaps))
    for kind, source in (("recorded", {"a-0": "a-0", "a-1": "a-1"}), ("control", {"a-0": "a-1", "a-1": "a-0"})):
        paths = {}
        for utt_id, other in source.items():
            paths[utt_id] = decode / kind / f"{utt_id}.mp4"
            paths[utt_id].parent.mkdir(parents=True, exist_ok=True)
            write_clip(paths[utt_id], gaps[other], sound(gaps[other], 0))
        write_scp(decode / kind / "video.scp", paths)
        write_scp(decode / kind / "sound", source)
    return tmp_path


def score(folder, expert=None, **jobs):
    dump = score_lips.FaceDump(folder / "dump")
    scorer = score_lips.LipScorer(dump, Networks(expert), PatchBackend())
    score_lips.score_job(score_lips.decoded_videos(folder / "decode", dump), scorer, folder / "scores", **jobs)


def table(folder):
    return merge_scores(folder / "scores", "lips")


def test_a_copy_is_perfect_and_the_control_is_not(decoded):
    score(decoded)
    rows = table(decoded)
    assert [r["kind"] for r in rows] == ["real", "recorded", "control"] * 2
    generated, control = (column(rows, kind, "lip_correlation") for kind in ("recorded", "control"))
    for utt_id in ("a-0", "a-1"):
        assert generated[utt_id] > 0.98
        assert control[utt_id] < generated[utt_id] - 0.2
    assert min(column(rows, "recorded", "psnr").values()) > 35 > max(column(rows, "control", "psnr").values())
    assert max(column(rows, "recorded", "landmark_distance").values()) < 0.2
    assert all(abs(v) <= 1 for v in column(rows, "recorded", "length_error").values())
    assert all(abs(v) <= 1 for v in column(rows, "recorded", "sound_offset").values())
    assert not column(rows, "recorded", "confidence")


@pytest.mark.recipe  # seconds
def test_the_expert_is_asked_for_every_kind(decoded):
    torch.manual_seed(0)
    score(decoded, SyncNet(width=0.05).eval())
    rows = table(decoded)
    for kind in ("real", "recorded", "control"):
        assert len(column(rows, kind, "confidence")) == len(column(rows, kind, "offset")) == 2
    assert len(column(rows, "real", "pair_accuracy")) == 2


def test_a_mouth_that_hears_silence_should_rest(decoded):
    silence = decoded / "decode" / "silence"
    silence.mkdir()
    write_clip(silence / "a-0.mp4", np.full(LENGTH, 6.0))
    write_clip(silence / "a-1.mp4", faces.syllables(LENGTH, 7))
    score(decoded)
    moved = column(table(decoded), "silence", "silence_motion")
    assert moved["a-0"] < 0.1 and moved["a-1"] > 0.5


def test_a_bad_clip_is_listed_and_the_others_are_scored(decoded):
    black, recorded = decoded / "black.mp4", decoded / "decode" / "recorded"
    with VideoWriter(black, 25) as out:
        for _ in range(LENGTH):
            out.write(np.zeros((240, 300, 3), np.uint8))
    write_scp(recorded / "video.scp", {"a-0": black, "a-1": read_scp(recorded / "video.scp")["a-1"]})
    (decoded / "decode" / "control" / "skipped.tsv").write_text("a-1\tthe sound lasts 0.05 s\n")
    score(decoded)
    rows = table(decoded)
    notes = {(r["utt_id"], r["kind"]): r["note"] for r in rows if "note" in r}
    assert "no face" in notes["a-0", "recorded"]
    assert "0.05 s" in notes["a-1", "control"]
    assert list(column(rows, "recorded", "lip_correlation")) == ["a-1"]


def test_jobs_resume_and_miss_nothing(decoded, monkeypatch):
    score(decoded, job=1, num_jobs=2)
    with pytest.raises(RuntimeError, match="a-1"):
        table(decoded)
    score(decoded, job=2, num_jobs=2)
    before = table(decoded)
    monkeypatch.setattr(score_lips.LipScorer, "generated", None)  # nothing is scored twice
    score(decoded)
    assert table(decoded) == before or str(table(decoded)) == str(before)


def test_interpolated_frames_do_not_count(decoded):
    dump = score_lips.FaceDump(decoded / "dump")
    dump.detected["a-0"] = "0.800"
    landmarks = dump.track("a-0").landmarks
    landmarks[:6] = landmarks[6]
    assert not dump._seen("a-0", landmarks)[:6].any()
    assert dump._seen("a-0", landmarks)[6:].all()


def test_missing_inputs_say_which_stage_makes_them(tmp_path, decoded):
    with pytest.raises(FileNotFoundError, match="stages 3 and 4"):
        score_lips.FaceDump(tmp_path / "nothing")
    dump = score_lips.FaceDump(decoded / "dump")
    with pytest.raises(FileNotFoundError, match="stage 15"):
        score_lips.decoded_videos(tmp_path / "nothing", dump)
