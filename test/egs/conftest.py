"""Small corpora in the published layouts, with a face that speaks inside, and the stages that read them.

These tests run real stages, so they take seconds each and are marked ``recipe``: ./test.sh --recipes. Four corpora
stand for the others up to stage 4: GRID (words and clips), HDTF (lists and spans of downloaded videos), AI Hub 538
(archives, labels, several sentences in a video) and one's own films. What is special about the others is how they are
read, which is stage 1; ./test.sh --long takes them to stage 4, too.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from silvertalk.data import read_data_dir, validate_data_dir
from silvertalk.data.corpus import SETS
from silvertalk.media import VideoWriter, read_audio, read_frames, write_audio

ROOT = Path(__file__).resolve().parents[2]
MINI = ROOT / "egs/mini/av1/local/data.sh"
SENTENCE = "good morning zoe please call the doctor"


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.recipe)


@pytest.fixture(scope="session")
def talking(tmp_path_factory) -> tuple[Path, Path]:
    """A clip of the mini corpus, 2-3 s: video (25 fps) and sound."""
    folder = tmp_path_factory.mktemp("talking")
    sentences = folder / "sentences.txt"
    sentences.write_text(f"dev astro-1 {SENTENCE}\n")
    command = [MINI, "--db_root", folder, "--out", folder / "data", "--sentences", sentences]
    environment = os.environ | {"SILVERTALK_PYTHON": sys.executable}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    return folder / "astro-1.mp4", folder / "astro-1.wav"


@pytest.fixture(scope="session")
def write_video(talking, tmp_path_factory) -> Callable[..., Path]:
    """Write the talking face as a video file: ``write_video(path, fps=25, sound=True, rate=16000, seconds=1.2)``.

    A file of the same kind is made once and then linked, so a corpus of many clips costs little.
    """
    made: dict[tuple, Path] = {}
    folder = tmp_path_factory.mktemp("made")

    def write(path: Path, fps: float = 25, sound: bool = True, rate: int = 16000, seconds: float = 1.2) -> Path:
        key = (path.suffix, fps, sound, rate, seconds)
        if key not in made:
            made[key] = folder / f"{len(made)}{path.suffix}"
            options = {"audio": read_audio(talking[1], rate, end=seconds)[0], "sampling_rate": rate} if sound else {}
            with VideoWriter(made[key], fps, **options) as out:
                for frame in read_frames(talking[0], fps, end=seconds):
                    out.write(frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(made[key], path)
        return path

    return write


@pytest.fixture(scope="session")
def write_sound(talking) -> Callable[..., Path]:
    """Write the talking face's sound: ``write_sound(path, rate=16000, start=0, end=1.2)``; the suffix says how."""

    def write(path: Path, rate: int = 16000, start: float = 0.0, end: float = 1.2) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        wav, _ = read_audio(talking[1], rate, start, end)
        if path.suffix in (".wav", ".flac"):
            write_audio(path, wav, rate)
        else:
            import av
            import numpy as np

            with av.open(str(path), "w") as out:
                stream = out.add_stream("aac", rate=rate, layout="mono")
                frame = av.AudioFrame.from_ndarray((wav * 32767).astype(np.int16)[None], format="s16", layout="mono")
                frame.sample_rate = rate
                out.mux(stream.encode(frame))
                out.mux(stream.encode(None))
        return path

    return write


@pytest.fixture(params=[1, pytest.param(4, marks=pytest.mark.long)])
def last_stage(request) -> int:
    """Where the recipe of a corpus ends that another one stands for."""
    return request.param


@pytest.fixture
def run_recipe(tmp_path) -> Callable[..., subprocess.CompletedProcess]:
    """Run stages of a recipe in ``tmp_path/work``: ``run_recipe("lrs2/av1", "--db_root", root)``.

    Stages 1 to 4 in one job unless the options say otherwise, because each job costs a second. The result's
    ``stdout`` holds everything it said.
    """

    def run(recipe: str, *options) -> subprocess.CompletedProcess:
        command = [ROOT / "egs" / recipe / "run.sh", "--workdir", tmp_path / "work", "--stop_stage", 4, "--nj", 1]
        return subprocess.run(
            [str(part) for part in (*command, *options)],
            env=os.environ | {"SILVERTALK_PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def data_sets(tmp_path) -> Callable[[], dict]:
    """Check the data directories that stage 1 wrote in ``tmp_path/work``: set name -> utterances."""

    def check() -> dict:
        for name in SETS:
            validate_data_dir(tmp_path / "work/data" / name)
        return {name: read_data_dir(tmp_path / "work/data" / name) for name in SETS}

    return check
