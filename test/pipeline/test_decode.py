"""Stage 15 renders three videos of every clip, and goes on with the others when one fails."""

import numpy as np
import pytest
import torch

from silvertalk.data import combine_parts, read_scp, write_scp
from silvertalk.face import make_backend
from silvertalk.media import read_frames, write_audio
from silvertalk.pipeline.decode import decode_set
from silvertalk.talker.options import RenderOptions
from silvertalk.wav2lip import Wav2Lip
from silvertalk.wav2lip.lipsync import LipSync

CLIPS = ("a-1", "a-2", "a-3", "a-4")


@pytest.fixture
def face_dir(face_video, tmp_path):
    """A face dump of four clips of one video; the third has a damaged one."""
    (tmp_path / "broken.mp4").write_bytes(b"\0" * 100)
    sounds = {}
    for number, utt_id in enumerate(CLIPS):
        sounds[utt_id] = tmp_path / f"{utt_id}.wav"
        write_audio(sounds[utt_id], 0.1 * np.random.default_rng(number).normal(size=6400 + 640 * number), 16000)
    folder = tmp_path / "dump"
    videos = dict.fromkeys(CLIPS, face_video) | {"a-3": tmp_path / "broken.mp4"}
    write_scp(folder / "source_video.scp", videos)
    write_scp(folder / "source_start", dict.fromkeys(CLIPS, 0.0))
    write_scp(folder / "audio.scp", sounds)
    write_scp(tmp_path / "voice.scp", {"a-1": sounds["a-4"]})
    return folder


def test_three_kinds_of_videos(face_dir, tmp_path):
    torch.manual_seed(0)
    renderer, out = LipSync(Wav2Lip(width=0.0625), make_backend("dlib")), tmp_path / "out"
    for job in (1, 2):
        decode_set(renderer, RenderOptions(fps=25), face_dir, tmp_path / "voice.scp", out, job, 2)
    for kind, wanted in (("recorded", CLIPS), ("control", CLIPS), ("video", ("a-1",))):
        _, skipped = combine_parts(out / kind, list(wanted))
        assert set(read_scp(out / kind / "video.scp")) == set(wanted) - {"a-3"}
        assert all("broken.mp4" in reason for reason in skipped.values())
    # The control says another clip's sound, for as long as the clip lasts.
    assert read_scp(out / "control" / "sound")["a-1"] == "a-3"
    lengths = {kind: sum(1 for _ in read_frames(out / kind / "a-1.mp4")) for kind in ("recorded", "control", "video")}
    assert lengths == {"recorded": 10, "control": 10, "video": 13}
    # Some, here all, hear silence, for as long as they last.
    assert {path.name for path in (out / "silence").iterdir()} == {"a-1.mp4", "a-2.mp4", "a-4.mp4"}
    assert sum(1 for _ in read_frames(out / "silence" / "a-1.mp4")) == 10
    # What is there is kept.
    before = (out / "recorded" / "a-1.mp4").stat().st_mtime_ns
    decode_set(renderer, RenderOptions(fps=25), face_dir, tmp_path / "voice.scp", out, 1, 1)
    assert (out / "recorded" / "a-1.mp4").stat().st_mtime_ns == before
