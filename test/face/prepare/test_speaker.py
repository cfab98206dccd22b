"""Of several faces the one that speaks is followed, of a cut video the best part is used."""

import kaldiio
import numpy as np
import pytest

from silvertalk.data import Utterance, combine_parts, read_scp
from silvertalk.face.lips import lip_opening
from silvertalk.face.prepare.dump import dump_faces, voiced_frames
from silvertalk.face.prepare.speaker import (
    COVERED,
    NO_FACE,
    PROFILE,
    USABLE,
    best_part,
    evidence,
    face_state,
    track_speaker,
    usable_parts,
)
from silvertalk.face.track import Seen, make_track
from silvertalk.media import read_frames, write_audio

BOX = np.array([40.0, 40.0, 140.0, 140.0])
# A frontal face, millimetres around the point between the eyes, is enough of 68 points: eyes, nose, lips, jaw.
FACE = np.zeros((68, 3), np.float32)
FACE[:17, 0] = np.linspace(-70, 70, 17)
FACE[:17, 1] = 90 * np.sqrt(np.clip(1 - (FACE[:17, 0] / 72) ** 2, 0, 1))
FACE[27:36, 1] = np.linspace(0, 47, 9)
FACE[36:42, 0], FACE[42:48, 0] = np.linspace(-45, -20, 6), np.linspace(20, 45, 6)
FACE[48:68, 0] = np.tile(np.linspace(-20, 20, 10), 2)
FACE[48:68, 1] = 70


def seen_face(opening=0.0, x=100.0, turned=0.0, shot=0):
    """A face at x, its lips open by some millimetres, the nose turned by some."""
    points = FACE.copy()
    points[65:68, 1] += opening
    points[30, 0] += turned
    points[:, :2] += x
    return Seen(shot, points)


def curve_of(frames, seed):
    """A slow random curve in [0, 1]."""
    curve = np.convolve(np.random.default_rng(seed).normal(size=frames + 8), np.hanning(6), "valid")[:frames]
    return (curve - curve.min()) / np.ptp(curve)


def test_every_frame_has_a_state():
    seen = [seen_face() for _ in range(40)]
    seen[5] = Seen(0)
    seen[20:30] = [seen_face(turned=45) for _ in range(10)]
    track = make_track(seen, 25)
    track.covered[35] = True
    state = face_state(track)
    assert set(np.flatnonzero(state == NO_FACE)) == {5} and set(np.flatnonzero(state == COVERED)) == {35}
    assert set(np.flatnonzero(state == PROFILE)) == set(range(20, 30)) and (state[:5] == USABLE).all()


def test_long_gaps_and_cuts_part_an_utterance_short_ones_do_not():
    hidden = [Seen(0)]
    track = make_track([seen_face()] * 30 + hidden * 20 + [seen_face()] * 10 + hidden * 30 + [seen_face()] * 30, 25)
    assert usable_parts(track) == [slice(0, 60), slice(90, 120)]
    cut = make_track([seen_face()] * 30 + [seen_face(x=300, shot=1)] * 20, 25)
    assert usable_parts(cut) == [slice(0, 30), slice(30, 50)]
    # A picture lost for some frames, after which the face is where it was; and at the beginning (grey frames).
    flash = make_track([Seen(0)] * 12 + [seen_face(shot=1)] * 30 + [Seen(2)] * 3 + [seen_face(shot=3)] * 30, 25)
    assert usable_parts(flash) == [slice(0, 75)]
    with pytest.raises(ValueError, match="never seen from the front"):
        usable_parts(make_track([seen_face(turned=45)] * 20, 25))


def test_part_that_moves_with_the_sound_is_preferred_to_a_longer_one():
    energy = curve_of(110, 0)
    other = curve_of(70, 1)
    seen = [seen_face(10 * v) for v in other] + [seen_face(10 * v, 300, shot=1) for v in energy[70:]]
    track = make_track(seen, 25)
    assert best_part(track, lambda: energy) == slice(70, 110)
    assert best_part(track, lambda: np.zeros(110)) == slice(0, 70)  # silence decides nothing
    whole = make_track([seen_face(10 * v) for v in energy], 25)
    assert evidence(whole.landmarks, whole.bbox, energy) > 10
    assert evidence(whole.landmarks[:9], whole.bbox[:9], energy[:9]) == 0


class FakeBackend:
    """Finds bright squares; the grey level of one says how far its mouth is open."""

    def __init__(self, spurious=False):
        self.spurious = spurious

    def view(self, frame):
        return frame[..., 0]

    def detect(self, gray):
        places = [x for x in (60, 180) if gray[60, x] > 0]
        return np.array([[x - 40.0, 20.0, x + 40.0, 100.0] for x in places]).reshape(-1, 4)

    def landmarks(self, gray, box):
        x = (box[0] + box[2]) / 2
        points = 0.5 * FACE
        points[65:68, 1] += (gray[60, int(x)] - 100) / 20
        return points + np.array([x, 50.0, 0.0])


def two_faces(left, right):
    """Frames with faces at 60 and 180, (T, 120, 240, 3); None: no face."""
    frames = np.zeros((len(right if left is None else left), 120, 240, 3), np.uint8)
    for curve, x in ((left, 60), (right, 180)):
        if curve is not None:
            frames[:, 55:65, x - 5 : x + 5] = (100 + 100 * curve)[:, None, None, None]
    return frames


@pytest.fixture
def pictures(monkeypatch):
    """Give frames to the readers in place of a file."""

    def give(frames):
        for module in ("prepare.speaker", "track", "prepare.dump"):
            monkeypatch.setattr(f"silvertalk.face.{module}.read_pictures", lambda *args, **span: iter(frames))

    return give


@pytest.mark.parametrize("speaks_left", [True, False])
def test_face_that_moves_with_the_sound_is_followed(pictures, speaks_left):
    energy, chewing = curve_of(75, 0), curve_of(75, 1)
    pictures(two_faces(energy, chewing) if speaks_left else two_faces(chewing, energy))
    track = track_speaker("x.mp4", FakeBackend(), lambda: energy)
    assert len(track) == 75 and track.detected.all()
    centre = track.bbox[:, [0, 2]].mean(1)
    assert np.abs(centre - (60 if speaks_left else 180)).max() < 3
    assert np.corrcoef(lip_opening(track.landmarks, track.bbox), energy)[0, 1] > 0.9


def test_single_face_is_followed_whatever_it_does(pictures):
    pictures(two_faces(np.zeros(50), None))
    track = track_speaker("x.mp4", FakeBackend(), energy=None)  # which nobody asks for
    assert np.abs(track.bbox[:, [0, 2]].mean(1) - 60).max() < 3


def test_dump_of_a_cut_video_keeps_the_part_in_sync(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("silvertalk.face.prepare.dump.make_backend", lambda name: FakeBackend())
    energy, chewing = curve_of(100, 0), curve_of(60, 1)
    rng = np.random.default_rng(0)
    wav = (0.3 * np.repeat(energy, 640) ** 2 * rng.normal(size=64000)).astype(np.float32)
    write_audio(tmp_path / "a.wav", wav, 16000)
    listening = two_faces(chewing, None)
    listening[:, :, 120:] = 200  # another scene: a bright wall
    listening[:, 60, 180] = 0
    pictures(np.concatenate([listening, two_faces(None, energy[60:])]))
    dump_faces([Utterance("s-a", "s", None, str(tmp_path / "a.wav"), "x.mp4")], tmp_path / "out", 1, "dlib", 32)
    assert combine_parts(tmp_path / "out", ["s-a"]) == (1, {})
    value = {name: read_scp(tmp_path / "out" / name)["s-a"] for name in ("utt2num_frames", "utt2cut", "source_start")}
    assert value == {"utt2num_frames": "40", "utt2cut": "0.00-2.40", "source_start": "2.4"}
    lengths = {n: len(kaldiio.load_mat(read_scp(tmp_path / "out" / f"{n}.scp")["s-a"])) for n in ("bbox", "face_state")}
    assert lengths == {"bbox": 40, "face_state": 40}
    assert len(list(read_frames(read_scp(tmp_path / "out" / "video.scp")["s-a"]))) == 40
    with pytest.raises(ValueError, match="face_select 'loudest' is none of speaking, largest"):
        dump_faces([], tmp_path / "out", 1, "dlib", 32, face_select="loudest")


def test_voice_is_marked_by_frames():
    rng = np.random.default_rng(0)
    wav = rng.normal(0, 1e-3, 48000).astype(np.float32)
    syllables = np.abs(np.sin(2 * np.pi * 3 * np.arange(16000) / 16000))
    wav[16000:32000] += (0.3 * syllables * rng.normal(size=16000)).astype(np.float32)
    voiced = voiced_frames(wav, 75)
    assert len(voiced) == 75 and voiced[30:45].all() and not voiced[:20].any() and not voiced[60:].any()
    assert not voiced_frames(np.zeros(16000, np.float32), 25).any()
    assert len(voiced_frames(wav[:8000], 20)) == 20  # more pictures than sound
