"""The offset of sound and lips is found and removed."""

import numpy as np
import pytest

from silvertalk.data import read_scp
from silvertalk.face.dump import SAMPLES_PER_FRAME
from silvertalk.face.lips import frame_energy, lag_correlation, lip_opening, pearson
from silvertalk.face.sync import MAX_LAG, SyncLimits, speaker_offset, sync_filter
from silvertalk.media import read_audio, wav2lip_mel, write_audio


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
    from silvertalk.data import PartWriter, combine_parts

    def build(late, frames=100, clips=4, detected=1.0):
        org = tmp_path / f"org{late}"
        with PartWriter(org, 1) as out:
            for n in range(clips):
                curve = speech_like(frames, n)
                wav = sound_of(np.roll(curve, late), n)
                path = org / "audio" / f"a-{n}.flac"
                write_audio(path, wav, 16000)
                landmarks = np.zeros((frames, 68, 3))
                landmarks[:, 65:68, 1] = 10 * curve[:, None]
                box = np.tile([0.0, 0.0, 100.0, 100.0], (frames, 1))
                out.add(
                    f"a-{n}",
                    {"bbox": box, "landmarks": landmarks.reshape(frames, -1), "mel": wav2lip_mel(wav).T},
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


@pytest.mark.parametrize("late", [0, 3, -4])
def test_known_offset_is_removed(face_dump, tmp_path, late):
    org, out = face_dump(late), tmp_path / "out"
    assert sync_filter(org, out, "spk", SyncLimits()) == {}
    assert set(read_scp(out / "utt2offset").values()) == {str(late)}
    before, _ = read_audio(read_scp(org / "audio.scp")["a-1"])
    after, _ = read_audio(read_scp(out / "audio.scp")["a-1"])
    assert len(before) == len(after)
    shift = late * SAMPLES_PER_FRAME
    inner = slice(abs(shift), len(before) - abs(shift))
    np.testing.assert_allclose(after[inner], np.roll(before, -shift)[inner], atol=1e-3)
    # Nothing is written again where nothing changed.
    assert (read_scp(out / "audio.scp") == read_scp(org / "audio.scp")) == (late == 0)


def test_second_run_changes_nothing(face_dump, tmp_path):
    org, out = face_dump(3), tmp_path / "out"
    sync_filter(org, out, "spk", SyncLimits())
    first = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}
    sync_filter(org, out, "spk", SyncLimits())
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == first


def test_unusable_clips_are_dropped_with_a_reason(face_dump, tmp_path):
    with pytest.raises(RuntimeError, match="face found in 30%"):
        sync_filter(face_dump(0, detected=0.3), tmp_path / "a", "spk", SyncLimits())
    with pytest.raises(RuntimeError, match="100 frames, more than 50"):
        sync_filter(face_dump(1), tmp_path / "b", "spk", SyncLimits(max_frames=50))
    with pytest.raises(ValueError, match="sync_group 'x'"):
        sync_filter(face_dump(2), tmp_path / "c", "x", SyncLimits())


def test_unclear_peak_is_not_believed():
    curve = np.full(2 * MAX_LAG + 1, 0.3)
    curve[MAX_LAG + 5] = 0.35
    assert speaker_offset(curve) == 0
    curve[MAX_LAG + 5] = 0.8
    assert speaker_offset(curve) == 5
    curve[0] = 0.9
    assert speaker_offset(curve) == 0  # the largest lag is no peak


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
