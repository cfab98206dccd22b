"""A session: how soon a text is seen, how it joins the idle face, and what it holds in memory.

    python bench/session.py --faces clips --expdir exp       every film of the folder, with the newest generator

For each film: seconds until the first fragment (everything warm, an avatar), and the largest step between neighbouring
frames where idling and speech meet. A step is the mean difference outside the lower face; beside it the median step of
all frames, and the step that the film itself makes at this place. Then the memory after 3 and after 30 sentences.
"""

import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from silvertalk.face.source import make_avatar
from silvertalk.media import read_frames
from silvertalk.pipeline.session import Session
from silvertalk.talker.options import RenderOptions
from silvertalk.talker.playback import playing_order
from silvertalk.talker.registry import find_setup
from silvertalk.tts.default import load_voice
from silvertalk.utils.cli import make_parser, run
from silvertalk.utils.processor import instruction_set

TEXT = "Good morning, how are you today? I am glad that you are here. Please tell me what I can do for you."
SECONDS = 10.0  # of each film
IDLE = 1.5  # seconds before and after speech


def measure(faces: str, expdir: str = "exp", tts_exp: str | None = None, rounds: int = 3) -> None:
    """Measure sessions over real films.

    Args:
        faces: Folder of films.
        expdir: Folder of experiments.
        tts_exp: Folder of the voice; leave out for the newest in expdir, or the English voice of the package.
        rounds: Texts said for the time of the first fragment; one more warms up.
    """
    talker, voice = find_setup("wav2lip")(expdir=expdir).talker(), load_voice(expdir, tts_exp)
    print(f"{instruction_set()}, {talker.name}, {voice.name}")
    print("| film | first fragment, s | steps at the splices | median step | the film's own steps there |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(Path(faces).glob("*.mp4")):
            avatar = Path(folder) / path.stem
            make_avatar(path, avatar, seconds=SECONDS, backend=talker.backend)
            session = Session(voice, talker, avatar, RenderOptions(keyframes=5))
            times = [first_fragment(session) for _ in range(rounds + 1)][1:]
            print(f"| {path.stem} | {statistics.median(times):.2f} | {splices(session, avatar)} |", flush=True)
        print(f"peak memory after 3 sentences {said(session, 3)} MB, after 30 {said(session, 30)} MB")


def first_fragment(session: Session) -> float:
    """Seconds until the first fragment of a text."""
    begun = time.monotonic()
    fragments = session.say(TEXT)
    next(fragments)
    seconds = time.monotonic() - begun
    session.stop()
    list(fragments)
    return seconds


def splices(session: Session, avatar: Path) -> str:
    """The steps of idle, speech and idle again, as a part of the table's row."""
    phase = session.phase
    clips = [session.idle(IDLE), b"".join(f.data for f in session.say(TEXT)), session.idle(IDLE)]
    shown = [decode(clip, session.fps) for clip in clips]
    track = session.face.faces[""].track
    x1, _, x2, y2 = (*track.bbox[:, :2].min(0), *track.bbox[:, 2:].max(0))
    half = (track.bbox[:, 1] + track.bbox[:, 3]).min() / 2
    outside = np.ones(shown[0][0].shape[:2], bool)
    outside[int(half) : int(y2) + 1, int(max(x1, 0)) : int(x2) + 1] = False
    own = list(read_frames(avatar / "video.mp4", session.fps))
    order = list(playing_order(len(own), sum(map(len, shown)), phase=phase))
    steps = differences([frame for clip in shown for frame in clip], outside)
    film = differences([own[k] for k in order], outside)
    at = np.cumsum([len(clip) for clip in shown[:2]]) - 1
    numbers = [", ".join(f"{value:.2f}" for value in values[at]) for values in (steps, film)]
    return f"{numbers[0]} | {np.median(steps):.2f} | {numbers[1]}"


def decode(data: bytes, fps: float) -> list[np.ndarray]:
    """Frames of an mp4 in memory."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(data)
        file.flush()
        return list(read_frames(file.name, fps))


def differences(frames: list[np.ndarray], where: np.ndarray) -> np.ndarray:
    """Mean difference of neighbours."""
    pairs = zip(frames, frames[1:], strict=False)
    return np.array([np.abs(a[where].astype(np.int16) - b[where]).mean() for a, b in pairs])


def said(session: Session, count: int) -> int:
    """Peak memory of the process (MB) after so many sentences."""
    for _ in session.say(" ".join(["I am glad that you are here today."] * count)):
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    run(make_parser(measure), measure)
