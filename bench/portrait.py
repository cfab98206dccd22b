"""Speed and memory of the portrait pipeline, as one JSON object.

    python bench/portrait.py [--image PHOTO] [--audio SOUND] [--seconds 4 60] [--repeats 3]

Every run is a process of its own, as a user starts it, interpreter and model
loading included; what is converted once is converted before. Without --image,
a photograph of NASA's is taken; without --audio, a speech synthesiser talks.
The networks are the full-size ones, filled with fixed random weights.
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

import cv2
import numpy as np
import soxr

from silvertalk.media import read_audio, write_audio

FPS = 25
RATE = 16000
FILL = Path(__file__).resolve().parents[1] / "test" / "goldens" / "makeittalk" / "fill.py"

MAKE = """
import importlib.util, sys
from pathlib import Path
import numpy as np
from silvertalk.makeittalk.checkpoint import save_checkpoint
from silvertalk.makeittalk.networks import AutoVC, ContentBranch, ImageTranslation, SpeakerBranch
from silvertalk.makeittalk.statistics import mean_face_statistics
spec = importlib.util.spec_from_file_location("fill", sys.argv[1])
fill = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fill)
kinds = {"autovc": AutoVC, "content": ContentBranch, "speaker": SpeakerBranch, "translation": ImageTranslation}
for name, kind in kinds.items():
    save_checkpoint(Path(sys.argv[2]) / f"{name}.pth", fill.fill_module(kind()))
mean_face_statistics(np.full(256, 1 / 16)).save(Path(sys.argv[2]) / "statistics.npz")
"""

# The process itself says its peak: what wait4 tells includes the memory of the process that started it.
RUN = (
    "import sys; from silvertalk.bin.silvertalk import main; main(sys.argv[1:]); "
    "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
)

PARTS = """
import json, statistics, sys, time
import numpy as np
from silvertalk.face import make_backend
from silvertalk.makeittalk.portrait import motion, translate
from silvertalk.makeittalk.portrait.motion import at_rate
from silvertalk.makeittalk.options import PortraitOptions
from silvertalk.makeittalk.portrait.photo import make_head, read_photo
from silvertalk.makeittalk.portrait.portrait import Portrait
from silvertalk.media import read_audio
folder, image, audio, repeats = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
wav, _ = read_audio(audio, 16000)
options, batch = PortraitOptions(), 4
networks = {name: f"{folder}/{name}.pth" for name in ("autovc", "content", "speaker", "translation")}
portrait = Portrait(**networks, statistics=folder, backend="dlib", device="cpu", batch_size=batch)
engines = {portrait.engine.name + " (auto)": portrait.engine}
for backend in ("torch", "onnxruntime"):
    engine = translate.make_engine(networks["translation"], None, backend=backend, device="cpu", precision="fp32",
                                   batch_size=batch)
    engines[engine.name] = engine
times = {}

def timed(name, function):
    begun = time.monotonic()
    result = function()
    times.setdefault(name, []).append(time.monotonic() - begun)
    return result

for _ in range(repeats + 1):
    head = timed("photo", lambda: make_head(*read_photo(image, portrait.backend), 256,
                                            portrait.statistics.std_face[:, 2]))
    timed("speaker", lambda: motion._speaker(wav, None))
    content = timed("content", lambda: np.concatenate(list(portrait.motion._contents(wav))))
    blocks = timed("landmarks", lambda: list(portrait.motion.landmarks(head.face, wav, options)))
    points = list(at_rate(blocks, 25, round(len(wav) / 16000 * 25)))
    batches = timed("drawings", lambda: list(portrait._batches(head, points)))
    for name, engine in engines.items():
        timed("translation " + name, lambda: [engine(inputs) for inputs in batches[:4]])
    drawn = translate.to_picture(portrait.engine(batches[0])[0])
    timed("paste", lambda: [head.paste(drawn) for _ in range(25)])
median = {name: statistics.median(values[1:]) for name, values in times.items()}
seconds = len(wav) / 16000
frames = {name.removeprefix("translation "): len(np.concatenate(batches[:4])) / value
          for name, value in median.items() if name.startswith("translation")}
automatic = next(value for name, value in frames.items() if name.endswith("(auto)"))
print(json.dumps({
    "seconds_of_sound": seconds,
    "seconds": {name: round(value, 3) for name, value in median.items() if not name.startswith("translation")},
    "landmark_stage_x_real_time": round(seconds / median["landmarks"], 1),
    "translation_frames_per_second": {name: round(value, 2) for name, value in frames.items()},
    "translation_auto_over_torch_fp32": round(automatic / frames["torch fp32"], 2),
}))
"""


def make_image(path: Path, source: str | None) -> Path:
    """The photo that is animated."""
    if source:
        return Path(source)
    from skimage.data import astronaut

    cv2.imwrite(str(path), astronaut()[..., ::-1])
    return path


def make_sound(path: Path, source: str | None, seconds: float) -> Path:
    """Write mono speech of a length."""
    wav, rate = read_audio(source) if source else _synthetic_speech()
    wav = soxr.resample(wav, rate, RATE)
    write_audio(path, np.tile(wav, int(np.ceil(seconds * RATE / len(wav))))[: round(seconds * RATE)], RATE)
    return path


def _synthetic_speech() -> tuple[np.ndarray, int]:
    """Syllables: a buzz whose loudness goes up and down four times a second."""
    t = np.arange(4 * RATE) / RATE
    buzz = np.sign(np.sin(2 * np.pi * 120 * t)) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * t))
    return (0.2 * buzz * (t < 3.5)).astype(np.float32), RATE


def run(code: str, *arguments) -> str:
    """Run a program; returns what it prints last."""
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.splitlines()[-1] if done.stdout else ""


def render(folder: Path, image: Path, audio: Path) -> dict[str, float]:
    """Run the command once: seconds, and peak memory of the process (MB)."""
    options = ["portrait", "--image", image, "--audio", audio, "--out", folder / "out.mp4", "--statistics", folder]
    for name in ("autovc", "content", "speaker", "translation"):
        options += [f"--{name}_exp", folder / f"{name}.pth"]
    begun = time.monotonic()
    peak = run(RUN, *options, "--face_backend", "dlib", "--device", "cpu")
    return {"seconds": time.monotonic() - begun, "peak_mb": int(peak) / 1024}


def measure_length(folder: Path, image: Path, source: str | None, seconds: float, repeats: int) -> dict:
    """Render one length a few times, long ones once."""
    audio = make_sound(folder / f"{seconds:g}.wav", source, seconds)
    runs = [render(folder, image, audio) for _ in range(repeats if seconds <= 10 else 1)]
    medians = {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]}
    return {"seconds_of_sound": seconds, **medians}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", help="photo")
    parser.add_argument("--audio", help="speech")
    parser.add_argument("--seconds", type=float, nargs="+", default=[4, 60], help="lengths to render")
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the median is given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["SILVERTALK_CACHE"] = str(folder / "cache")
        run(MAKE, FILL, folder)
        image = make_image(folder / "photo.png", arguments.image)
        audio = make_sound(folder / "short.wav", arguments.audio, 4)
        begun = time.monotonic()
        render(folder, image, audio)
        report = {"machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"}
        report["load_average"] = round(os.getloadavg()[0], 1)
        report["first_run_with_conversion_seconds"] = round(time.monotonic() - begun, 1)
        report["parts"] = json.loads(run(PARTS, folder, image, audio, arguments.repeats))
        report["lengths"] = [
            measure_length(folder, image, arguments.audio, seconds, arguments.repeats) for seconds in arguments.seconds
        ]
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
