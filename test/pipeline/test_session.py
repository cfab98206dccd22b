"""A session: sentence after sentence, stopped at once, on one endless film."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from silvertalk.engine.runtimes import Engine
from silvertalk.face import make_backend
from silvertalk.face.source import make_avatar
from silvertalk.media import VideoWriter, read_frames
from silvertalk.media.audio import read_audio
from silvertalk.pipeline.session import Session
from silvertalk.talker.options import RenderOptions
from silvertalk.talker.playback import playing_order
from silvertalk.tts.voice import Utterance, Voice
from silvertalk.wav2lip.convert import generator_shapes
from silvertalk.wav2lip.lipsync import LipSync

RATE = 16000
FAST = RenderOptions(preset="ultrafast")


class Tones(Voice):
    """A twentieth of a second a letter, each sentence a tone of its own; counts what it has begun."""

    name, sampling_rate = "tones", RATE

    def __init__(self):
        self.begun = 0

    def utter(self, text, options, in_pieces=False):
        self.begun += 1
        count = RATE // 20 * len(text)
        wav = 0.3 * np.sin(np.arange(count) / RATE * 2 * np.pi * 100 * (1 + self.begun % 5))
        return Utterance([], np.zeros(0), count, (wav[k : k + 800].astype(np.float32) for k in range(0, count, 800)))


class Same(Engine):
    """Draws each face as its reference shows it."""

    def _run(self):
        return self.inputs["face"][:, 3:]


def lipsync():
    return LipSync(Same("same", generator_shapes(96), 4), make_backend("dlib"))


@pytest.fixture(scope="module")
def avatar(face_video, tmp_path_factory):
    folder = tmp_path_factory.mktemp("avatar") / "me"
    make_avatar(face_video, folder, backend="dlib")
    return folder


def frames_of(data: bytes) -> list[np.ndarray]:
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(data)
        file.flush()
        return list(read_frames(file.name))


def test_first_fragment_comes_before_the_second_sentence_is_spoken(avatar):
    voice = Tones()
    session = Session(voice, lipsync(), avatar, FAST)
    fragments = session.say(" ".join(["This is quite a long sentence."] * 30))
    first = next(fragments)
    assert voice.begun == 1 and first.sentence.number == 1 and len(first.data) > 1000
    rest = list(fragments)
    assert voice.begun == 30 and rest[-1].sentence.number == 30
    # One film, as long as what was said: 30 letters each, and pauses between.
    seconds = 30 * 30 / 20 + 29 * 0.4
    whole = first.data + b"".join(fragment.data for fragment in rest)
    assert len(frames_of(whole)) == pytest.approx(seconds * 25, abs=2)
    assert session.phase == len(frames_of(whole))


def test_sound_is_that_of_the_voice(avatar, tmp_path):
    session = Session(Tones(), lipsync(), avatar, FAST)
    result, sentences = session.write("One two. Three four five.", tmp_path / "o.mp4")
    assert [sentence.text for sentence in sentences] == ["One two.", "Three four five."]
    heard, rate = read_audio(tmp_path / "o.mp4", RATE)
    wanted = Tones().speak("One two. Three four five.").wav
    heard = heard[: len(wanted)]
    assert np.corrcoef(heard, wanted[: len(heard)])[0, 1] > 0.95
    assert result.num_frames == len(list(read_frames(tmp_path / "o.mp4"))) == np.ceil(len(wanted) / RATE * 25)


def child_processes() -> set[str]:
    """Process numbers of this process' children."""
    lists = Path("/proc/self/task").glob("*/children")
    return {number for path in lists for number in path.read_text().split()}


def test_stop_ends_everything(avatar, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before, children = set(threading.enumerate()), child_processes()
    session = Session(Tones(), lipsync(), avatar, FAST)
    fragments = session.say(" ".join(["This is quite a long sentence."] * 30))
    next(fragments)
    stopper = threading.Timer(0.2, session.stop)
    stopper.start()
    time.sleep(0.3)  # nobody reads: everything waits in full queues
    stopper.join()
    time.sleep(0.5)
    left = {thread for thread in set(threading.enumerate()) - before if thread.is_alive()}
    assert not left and child_processes() == children
    assert not list(tmp_path.iterdir())
    assert list(fragments) == []  # its reader sees an end
    again = list(session.say("And again."))  # on the same film, where it was stopped
    assert again and session.phase > 25


def test_a_stopped_film_is_not_taken_for_a_whole_one(avatar, tmp_path):
    session = Session(Tones(), lipsync(), avatar, FAST)
    stopper = threading.Timer(0.5, session.stop)
    stopper.start()
    with pytest.raises(RuntimeError, match="stopped before its end"):
        session.write(" ".join(["This is quite a long sentence."] * 200), tmp_path / "o.mp4")
    assert not list(tmp_path.iterdir())


def test_errors_reach_the_reader(avatar):
    session = Session(Tones(), lipsync(), avatar, FAST)
    with pytest.raises(ValueError, match="empty"):
        list(session.say(" "))
    with pytest.raises(ValueError, match="--length goes with a recording"):
        Session(Tones(), lipsync(), avatar, RenderOptions(length="video"))


def numbered_film(path: Path, photo, length: int) -> Path:
    """A face whose upper left corner tells the number of each frame by its brightness."""
    with VideoWriter(path, 25, quality=4) as out:
        for number in range(length):
            frame = photo.copy()
            frame[:16, :16] = 4 * number
            out.write(frame)
    return path


def test_idle_speech_and_idle_run_through_one_film(photo, tmp_path):
    session = Session(Tones(), lipsync(), numbered_film(tmp_path / "film.mp4", photo, 50), FAST)
    clips = [session.idle(0.6), b"".join(f.data for f in session.say("Hello there, you. Good.")), session.idle(1.0)]
    shown = [frame[4:12, 4:12].mean() / 4 for clip in clips for frame in frames_of(clip)]
    wanted = list(playing_order(50, len(shown)))
    assert session.phase == len(shown) > 50  # it has turned around
    assert np.abs(np.array(shown) - wanted).max() < 1


def test_idling_is_rendered_once(photo, tmp_path):
    session = Session(Tones(), lipsync(), numbered_film(tmp_path / "film.mp4", photo, 26), FAST)
    first = session.idle(2.0)  # 50 frames: once back and forth
    assert session.phase == 50
    session.talker.draw = None  # whoever renders again fails
    assert session.idle(2.0) is first


def test_a_film_is_followed_as_far_as_the_text_needs(face_video):
    session = Session(Tones(), lipsync(), face_video, FAST, seconds=1.0)
    assert session.face.faces[""].track.landmarks.shape[0] == 25
    frames = frames_of(
        b"".join(f.data for f in session.say("This is longer than a second, much longer than that, and longer."))
    )
    assert len(frames) > 50  # the film turns around before its end


MEMORY = """
import resource, sys
from test_session import FAST, Session, Tones, lipsync
session = Session(Tones(), lipsync(), sys.argv[1], FAST)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def say(count):
    for fragment in session.say(" ".join(["This is quite a long sentence."] * count)):
        pass
    return peak()
print(say(3), say(30))
"""


def test_memory_does_not_grow_with_the_text(avatar):
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).resolve().parents[2])])
    command = [sys.executable, "-c", MEMORY, str(avatar)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    short, long = map(int, done.stdout.split())
    assert long <= 1.05 * short, f"{short} kB after 3 sentences, {long} after 30"


@pytest.mark.parametrize("name", ["May_5s.mp4", "cnn2_25fps.mp4"])
def test_no_step_where_idling_and_speech_meet(media, name):
    """Idle, speech and idle again over a real film: no splice is a larger step than 1.5 usual ones, or the film's."""
    session = Session(Tones(), lipsync(), media / "faces" / name, RenderOptions(keyframes=5), seconds=5.0)
    clips = [session.idle(1.2), b"".join(f.data for f in session.say("Good morning. How are you?")), session.idle(1.2)]
    shown = [frames_of(clip) for clip in clips]
    track = session.face.faces[""].track
    x1, y1, x2, y2 = track.bbox.min(0)[0], track.bbox.min(0)[1], track.bbox.max(0)[2], track.bbox.max(0)[3]
    outside = np.ones(shown[0][0].shape[:2], bool)
    outside[int((y1 + y2) / 2) : int(y2) + 1, int(x1) : int(x2) + 1] = False
    film = [frame for _, frame in zip(range(125), read_frames(media / "faces" / name), strict=False)]
    own = [film[k] for k in playing_order(len(track), sum(map(len, shown)))]
    steps, natural = (
        np.array([np.abs(a.astype(np.int16) - b)[outside].mean() for a, b in zip(frames, frames[1:], strict=False)])
        for frames in ([frame for clip in shown for frame in clip], own)
    )
    splices = np.cumsum([len(clip) for clip in shown[:2]]) - 1
    allowed = 1.5 * np.maximum(np.median(steps), natural[splices])
    assert (steps[splices] <= allowed).all(), (steps[splices], np.median(steps), natural[splices])
