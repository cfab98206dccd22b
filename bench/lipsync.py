"""Speed and memory of the lip-sync pipeline, as one JSON object.

    python bench/lipsync.py [--face VIDEO] [--audio SOUND] [--minutes 1 10] [--repeats 3]

Every run is a process of its own, as a user starts it, interpreter and model
loading included. Without --face, a photograph sways in a 1280x720 picture;
without --audio, a speech synthesiser talks. The generator is the full-size
96-pixel network with random weights.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soxr

from silvertalk.media import Picture, VideoWriter, probe, read_audio, read_pictures, write_audio
from silvertalk.talker.playback import playing_order

FPS = 25
RATE = 16000
WIDTH, HEIGHT = 1280, 720


def make_checkpoint(path: Path) -> None:
    """Write a full-size generator with random weights, in a process of its own, because torch is large."""
    code = (
        "import sys, torch; from silvertalk.wav2lip import Wav2Lip, save_checkpoint; torch.manual_seed(0); "
        "save_checkpoint(sys.argv[1], Wav2Lip().state_dict())"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def make_face(path: Path, source: str | None, seconds: float) -> None:
    """Write a 1280x720 video at 25 frames a second: the source, back and forth, or a swaying photograph."""
    frames = round(seconds * FPS)
    with VideoWriter(path, FPS) as out:
        if source:
            pictures = [picture.rgb() for _, picture in zip(range(250), read_pictures(source, FPS), strict=False)]
            pictures = [Picture.from_rgb(_fit(rgb)) for rgb in pictures]
        else:
            from skimage.data import astronaut

            photo = _fit(astronaut())
            pictures = [Picture.from_rgb(np.roll(photo, round(6 * np.sin(k / 8)), axis=1)) for k in range(101)]
        for number in playing_order(len(pictures), frames):
            out.write(pictures[number])


def _fit(rgb: np.ndarray) -> np.ndarray:
    """Scale and pad to 1280x720."""
    import cv2

    scale = min(WIDTH / rgb.shape[1], HEIGHT / rgb.shape[0])
    rgb = cv2.resize(rgb, None, fx=scale, fy=scale)
    left, top = (WIDTH - rgb.shape[1]) // 2, (HEIGHT - rgb.shape[0]) // 2
    pads = ((top, HEIGHT - rgb.shape[0] - top), (left, WIDTH - rgb.shape[1] - left), (0, 0))
    return np.ascontiguousarray(np.pad(rgb, pads, mode="edge"))


def make_sound(path: Path, source: str | None, seconds: float) -> None:
    """Write mono speech of a length."""
    wav, rate = read_audio(source) if source else _synthetic_speech()
    wav = soxr.resample(wav, rate, RATE)
    write_audio(path, np.tile(wav, int(np.ceil(seconds * RATE / len(wav))))[: round(seconds * RATE)], RATE)


def _synthetic_speech() -> tuple[np.ndarray, int]:
    """Syllables: a buzz whose loudness goes up and down four times a second."""
    t = np.arange(4 * RATE) / RATE
    buzz = np.sign(np.sin(2 * np.pi * 120 * t)) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * t))
    return (0.2 * buzz * (t < 3.5)).astype(np.float32), RATE


def render(folder: Path, face: Path, audio: Path, cache: Path) -> dict[str, float]:
    """Run the command once: seconds, frames per second, and peak memory of the process (MB)."""
    options = ["lipsync", "--face", str(face), "--audio", str(audio), "--out", str(folder / "out.mp4")]
    options += ["--wav2lip_exp", str(folder / "generator.pth"), "--face_backend", "dlib", "--device", "cpu"]
    # The process itself says its peak: what wait4 tells includes the memory of the process that started it.
    code = (
        "import sys; from silvertalk.bin.silvertalk import main; main(sys.argv[1:]); "
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    )
    environment = os.environ | {"SILVERTALK_CACHE": str(cache)}
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code, *options], env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - begun
    if done.returncode:
        raise RuntimeError(done.stderr)
    frames = round(probe(audio).duration * FPS)
    return {"seconds": seconds, "fps": frames / seconds, "peak_mb": int(done.stdout.split()[-1]) / 1024}


def measure_length(folder: Path, arguments, minutes: float) -> dict:
    """Render one length: without and with a kept track."""
    face, audio = folder / f"face_{minutes:g}.mp4", folder / f"sound_{minutes:g}.wav"
    make_face(face, arguments.face, minutes * 60)
    make_sound(audio, arguments.audio, minutes * 60)
    cache = folder / "cache"
    first, kept = [], []
    for _ in range(arguments.repeats if minutes <= 2 else 1):
        for track in (cache / "tracks").glob("*"):
            track.unlink()
        first.append(render(folder, face, audio, cache))
        kept.append(render(folder, face, audio, cache))
    return {"minutes": minutes, "first": _medians(first), "kept_track": _medians(kept)}


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]}


def measure_generator(folder: Path, repeats: int) -> dict:
    """Frames per second of the engines, taking turns in one process."""
    code = """
import json, statistics, sys, time
import numpy as np
from silvertalk.wav2lip.engine import make_engine
path, repeats = sys.argv[1], int(sys.argv[2])
engines = {}
for backend, precision in (("torch", "fp32"), ("auto", "auto"), ("openvino", "fp32"), ("onnxruntime", "fp32")):
    engine = make_engine(path, backend, "cpu", precision, batch_size=8)
    engines.setdefault(engine.name + (" (auto)" if backend == "auto" else ""), engine)
random = np.random.default_rng(0)
mels = random.normal(size=(8, 1, 80, 16)).astype(np.float32)
faces = random.random((8, 6, 96, 96), np.float32)
fps = {name: [] for name in engines}
for _ in range(repeats + 1):
    for name, engine in engines.items():
        begun = time.monotonic()
        for _ in range(6):
            engine(mels, faces)
        fps[name].append(48 / (time.monotonic() - begun))
print(json.dumps({name: round(statistics.median(values[1:]), 1) for name, values in fps.items()}))
"""
    environment = os.environ | {"SILVERTALK_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", code, str(folder / "generator.pth"), str(repeats)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    fps = json.loads(done.stdout.splitlines()[-1])
    plain = fps["torch fp32"]
    automatic = next(value for name, value in fps.items() if name.endswith("(auto)"))
    return {"frames_per_second": fps, "auto_over_torch": round(automatic / plain, 2)}


def measure_first_fragment(folder: Path, arguments) -> dict:
    """Seconds from the call to the first fragment of a stream, avatar and model ready."""
    from silvertalk.face.source import make_avatar
    from silvertalk.media.sound import Sound
    from silvertalk.wav2lip.lipsync import LipSync

    os.environ["SILVERTALK_CACHE"] = str(folder / "cache")
    face, audio = folder / "avatar.mp4", folder / "avatar.wav"
    make_face(face, arguments.face, 10)
    make_sound(audio, arguments.audio, 10)
    make_avatar(face, folder / "avatar", backend="dlib")
    lipsync = LipSync(folder / "generator.pth", "dlib", "cpu")
    times = []
    for _ in range(arguments.repeats + 1):
        stream = _Stream()
        lipsync.render_sounds(folder / "avatar", {"largest": Sound.from_file(audio)}, stream)
        times.append(stream.first_fragment)
    return {"seconds": round(statistics.median(times[1:]), 3)}


class _Stream:
    """Notes when the first fragment is whole."""

    name = "stream"

    def __init__(self):
        self.begun, self.first_fragment = time.monotonic(), None
        self.head = b""

    def write(self, data) -> int:
        self.head = self.head[-16:] + bytes(data)
        # The pictures of a fragment follow its header in a box of their own.
        if self.first_fragment is None and b"mdat" in self.head:
            self.first_fragment = time.monotonic() - self.begun
        return len(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face", help="video of a face; scaled to 1280x720 and played back and forth")
    parser.add_argument("--audio", help="speech")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 10], help="lengths to render")
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the median is given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_checkpoint(folder / "generator.pth")
        begun = time.monotonic()
        report = {"machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"}
        report["generator"] = measure_generator(folder, arguments.repeats)
        report["conversions_seconds"] = round(time.monotonic() - begun, 1)
        report["first_fragment"] = measure_first_fragment(folder, arguments)
        report["lengths"] = [measure_length(folder, arguments, minutes) for minutes in arguments.minutes]
        peaks = [length["first"]["peak_mb"] for length in report["lengths"]]
        report["peak_ratio_last_to_first"] = round(peaks[-1] / peaks[0], 3)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
