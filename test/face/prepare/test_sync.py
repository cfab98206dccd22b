"""The offset of sound and lips is found and removed."""

import itertools

import kaldiio
import numpy as np
import pytest

from silvertalk.data import combine_parts, read_scp
from silvertalk.face.lips import MAX_LAG, frame_energy, lag_correlation, lip_opening, pearson
from silvertalk.face.prepare.offset import LagCurves, measure_offsets
from silvertalk.face.prepare.sync import SyncLimits, sync_filter
from silvertalk.media import read_audio, wav2lip_mel, write_audio
from silvertalk.media.timing import SAMPLES_PER_FRAME


def speech_like(frames, seed):
    """A slow random curve in [0, 1], (frames,)."""
    noise = np.random.default_rng(seed).normal(size=frames + 8)
    curve = np.convolve(noise, np.hanning(6), "valid")[:frames]
    return (curve - curve.min()) / np.ptp(curve)


def sound_of(curve, seed):
    """Noise whose level follows a curve of 25 values a second."""
    level = np.repeat(curve, SAMPLES_PER_FRAME) ** 2
    return (0.3 * level * np.random.default_rng(seed).normal(size=len(level))).astype(np.float32)


@pytest.fixture
def face_dump(tmp_path):
    """Make a face dump of a speaker whose sound is late by some frames."""
    from silvertalk.data import PartWriter

    def build(late, frames=100, clips=4, detected=1.0, voiced=1):
        org = tmp_path / f"org{late}"
        with PartWriter(org, 1) as out:
            for n in range(clips):
                curve = speech_like(frames, n)
                shift = late[n] if isinstance(late, tuple) else late
                wav = sound_of(np.roll(curve, shift), n)
                path = org / "audio" / f"a-{n}.flac"
                write_audio(path, wav, 16000)
                landmarks = np.zeros((frames, 68, 3))
                landmarks[:, 65:68, 1] = 10 * curve[:, None]
                box = np.tile([0.0, 0.0, 100.0, 100.0], (frames, 1))
                out.add(
                    f"a-{n}",
                    {
                        "bbox": box,
                        "landmarks": landmarks.reshape(frames, -1),
                        "mel": wav2lip_mel(wav).T,
                        "face_state": np.zeros(frames),
                        "speech": np.arange(frames) >= frames * (1 - voiced),
                    },
                    {
                        "audio.scp": path,
                        "video.scp": "x.avi",
                        "utt2num_frames": frames,
                        "utt2detected": detected,
                        "utt2spk": "a",
                    },
                )
        combine_parts(org, [f"a-{n}" for n in range(clips)])
        return org

    return build


class FakeScorer:
    """A network that is sure of a lag of each clip, as sure as it is told."""

    name = "expert"

    def __init__(self, *lags, heights=(0.5,)):
        self.lags, self.heights = itertools.cycle(lags), itertools.cycle(heights)

    def __call__(self, faces, wav, mel):
        curve = np.full(2 * MAX_LAG + 1, 0.3)
        curve[MAX_LAG + next(self.lags)] += next(self.heights)
        return curve


def stage_4(org, out, group="spk", limits=None, scorer=None):
    """Measure, merge and filter as the recipe does."""
    sync_dir = out.parent / f"{out.name}_sync"
    measure_offsets(org, sync_dir, scorer)
    combine_parts(sync_dir, read_scp(org / "utt2spk"))
    return sync_filter(org, sync_dir, out, group, limits or SyncLimits())


def table(out):
    """Rows of sync.tsv by utterance."""
    head, *rows = [line.split("\t") for line in (out / "sync.tsv").read_text().splitlines()]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


@pytest.mark.parametrize("late", [0, 3, -4])
def test_known_offset_is_removed(face_dump, tmp_path, late):
    org, out = face_dump(late), tmp_path / "out"
    assert stage_4(org, out) == {}
    assert set(read_scp(out / "utt2offset").values()) == {str(late)}
    assert {row["verdict"] for row in table(out).values()} == {"shifted" if late else "kept"}
    assert (out / "images" / "sync.png").stat().st_size > 1000
    before, _ = read_audio(read_scp(org / "audio.scp")["a-1"])
    after, _ = read_audio(read_scp(out / "audio.scp")["a-1"])
    assert len(before) == len(after)
    shift = late * SAMPLES_PER_FRAME
    inner = slice(abs(shift), len(before) - abs(shift))
    np.testing.assert_allclose(after[inner], np.roll(before, -shift)[inner], atol=1e-3)
    # Nothing is written again where nothing changed.
    for name in ("audio.scp", "mel.scp", "speech.scp"):
        assert (read_scp(out / name) == read_scp(org / name)) == (late == 0)
    # What was corrected measures as being in sync.
    measure_offsets(out, tmp_path / "again")
    combine_parts(tmp_path / "again", read_scp(out / "utt2spk"))
    sync_filter(out, tmp_path / "again", tmp_path / "twice", "utt", SyncLimits())
    assert {row["own_offset"] for row in table(tmp_path / "twice").values()} <= {"-1", "0", "1"}


def test_second_run_changes_nothing(face_dump, tmp_path):
    org, out = face_dump(3), tmp_path / "out"
    stage_4(org, out)
    first = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}
    stage_4(org, out)
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == first


def test_unusable_clips_are_dropped_with_a_reason(face_dump, tmp_path):
    with pytest.raises(RuntimeError, match="face found in 30%"):
        stage_4(face_dump(0, detected=0.3), tmp_path / "a")
    with pytest.raises(RuntimeError, match="100 frames, more than 50"):
        stage_4(face_dump(1), tmp_path / "b", limits=SyncLimits(max_frames=50))
    with pytest.raises(ValueError, match="sync_group 'x'"):
        stage_4(face_dump(2), tmp_path / "c", "x")
    with pytest.raises(RuntimeError, match="no window with a voice and a face"):
        stage_4(face_dump(-1, voiced=0), tmp_path / "d")
    with pytest.raises(RuntimeError, match="no two windows with a voice"):
        stage_4(face_dump(-2, voiced=0.06), tmp_path / "e")
    with pytest.raises(FileNotFoundError, match="utt2scorer; run stage 4"):
        sync_filter(tmp_path / "org0", tmp_path, tmp_path / "f", "spk", SyncLimits())


def test_each_utterance_has_its_own_offset(face_dump, tmp_path):
    org, out = face_dump((0, 5, -5, 3)), tmp_path / "out"
    assert stage_4(org, out, "utt") == {}
    assert list(read_scp(out / "utt2offset").values()) == ["0", "5", "-5", "3"]
    stage_4(org, tmp_path / "none", "none")
    assert set(read_scp(tmp_path / "none" / "utt2offset").values()) == {"0"}


def test_network_decides_with_the_correlation(face_dump, tmp_path):
    org, out = face_dump(0), tmp_path / "out"
    stage_4(org, out, "spk", scorer=FakeScorer(0))
    rows = table(out).values()
    assert {(row["method"], row["confidence"], row["offset"]) for row in rows} == {("expert", "0.500", "0")}
    # A network that is sure of 6 frames against a correlation that peaks at 0.
    stage_4(org, tmp_path / "late", "utt", scorer=FakeScorer(6))
    assert {row["offset"] for row in table(tmp_path / "late").values()} == {"6"}


def test_what_the_network_does_not_believe_is_dropped(face_dump, tmp_path):
    org = face_dump((0, 6, 0, 0))
    unsure = FakeScorer(0, 6, 0, 0, heights=(0.5, 0.05, 0.5, 0.5))
    dropped = stage_4(org, tmp_path / "a", "utt", SyncLimits(min_correlation=-1), unsure)
    assert dropped == {"a-1": "out of sync: seems 6 frames late, which is not sure"}
    with pytest.raises(RuntimeError, match="out of sync: confidence 0.50, less than 0.6"):
        stage_4(org, tmp_path / "b", "spk", SyncLimits(min_correlation=-1, min_confidence=0.6), FakeScorer(0))


def test_network_that_does_not_know_the_faces_is_left_out(face_dump, tmp_path, caplog):
    stage_4(face_dump(3), tmp_path / "out", "utt", scorer=FakeScorer(-9, heights=(0.05,)))
    assert "the expert is not sure of these faces (median confidence 0.050" in caplog.text
    assert {(row["method"], row["offset"]) for row in table(tmp_path / "out").values()} == {("correlation", "3")}


def test_clip_unlike_its_speaker_is_dropped(face_dump, tmp_path):
    org, out = face_dump((0, 0, 0, 8)), tmp_path / "out"
    dropped = stage_4(org, out, "spk", scorer=FakeScorer(0, 0, 0, 8))
    assert dropped == {"a-3": "out of sync: 8 frames late, the speaker's other clips 0"}
    assert table(out)["a-3"]["verdict"] == "dropped" and "a-3" not in read_scp(out / "utt2spk")


def test_jobs_share_the_measuring(face_dump, tmp_path):
    org = face_dump(0)
    for job in (1, 2):
        measure_offsets(org, tmp_path / "two", None, job, 2)
    combine_parts(tmp_path / "two", read_scp(org / "utt2spk"))
    measure_offsets(org, tmp_path / "one")
    combine_parts(tmp_path / "one", read_scp(org / "utt2spk"))
    one, two = (kaldiio.load_scp(str(tmp_path / n / "lag_correlation.scp")) for n in ("one", "two"))
    assert list(one) == list(two) and all((one[u] == two[u]).all() for u in one)


def test_unclear_peak_is_not_believed():
    curve = np.full(2 * MAX_LAG + 1, 0.3)
    curve[MAX_LAG + 5] = 0.35
    assert LagCurves(curve).offset() == 0 and LagCurves(curve).peak() == 5
    curve[MAX_LAG + 5] = 0.8
    assert LagCurves(curve).offset() == 5
    assert (LagCurves(curve) + LagCurves(curve)).correlation_at(5) == pytest.approx(0.8)
    curve[0] = 0.9
    assert LagCurves(curve).offset() == 0  # the largest lag is no peak
    assert LagCurves().offset() == 0  # nothing is known


def test_still_mouth_correlates_with_nothing():
    assert pearson(np.ones(50), speech_like(50, 0)) == 0.0
    assert not lag_correlation(np.ones(50), speech_like(50, 0), 5).any()


def test_energy_follows_the_sound():
    curve = speech_like(60, 1)
    energy = frame_energy(wav2lip_mel(sound_of(curve, 1)).T, 60)
    assert pearson(curve, energy) > 0.8


def test_real_recording_is_in_sync(media):
    from silvertalk.face import track_video

    path = media / "grid" / "s1" / "lbak2p.mpg"
    track = track_video(path, "dlib")
    energy = frame_energy(wav2lip_mel(read_audio(path, 16000)[0]).T, len(track))
    curve = lag_correlation(lip_opening(track.landmarks, track.bbox), energy, 8)
    assert abs(int(curve.argmax()) - 8) <= 1
