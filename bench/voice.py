"""Speed, memory and closeness of the engines that speak JETS, as one JSON object.

    python bench/voice.py [--exp EXPERIMENT] [--rounds 7]

Without --exp, a full-size JETS (conf/train_jets.yaml) is filled with fixed
random weights, its durations set to those of English read aloud. Engines take
turns in one process, and ratios are taken round by round, so that what else
the machine does weighs on all of them alike; processor time hardly depends on
it. Memory is that of a process of its own for each engine. What is converted once is converted before.
"""

import argparse
import json
import logging
import os
import platform
import re
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
TOKENS = ["<blank>", "<unk>", "<space>", *"abcdefghijklmnopqrstuvwxyz.", "<sos/eos>"]
FRAMES = 6.2  # of a character: 14 characters a second
SENTENCES = (
    "the first one is short.",
    "another one takes a little longer, and says what the weather will be like tomorrow.",
)
TEXT = " ".join(SENTENCES * 15)  # thirty sentences
ENGINES = ("torch fp32", "openvino bf16", "openvino fp32", "onnxruntime fp32", "torch bf16")


def make_voice(exp_dir: Path) -> None:
    """Write a full-size JETS with random weights as stage 7 leaves one."""
    import torch
    from espnet2.tasks.gan_tts import GANTTSTask
    from espnet2.utils.yaml_no_alias_safe_dump import yaml_no_alias_safe_dump

    command = ["--config", str(ROOT / "conf/train_jets.yaml"), "--token_type", "char", "--cleaner", "none"]
    command += ["--g2p", "none", "--feats_extract", "fbank", "--tts_conf", "sampling_rate=22050"]
    for extractor in ("feats", "pitch", "energy"):
        for feature in ("fs=22050", "n_fft=1024", "hop_length=256"):
            command += [f"--{extractor}_extract_conf", feature]
    arguments = GANTTSTask.get_parser().parse_args(command)
    arguments.token_list = TOKENS
    torch.manual_seed(0)
    model = GANTTSTask.build_model(arguments)
    duration = model.tts.generator.duration_predictor.linear  # gives log(frames + 1)
    torch.nn.init.constant_(duration.bias, float(np.log(FRAMES + 1)))
    torch.nn.init.normal_(duration.weight, std=0.01)
    torch.save(model.state_dict(), exp_dir / "latest.pth")
    (exp_dir / "config.yaml").write_text(yaml_no_alias_safe_dump(vars(arguments)))


def measure_speed(exp_dir: Path, rounds: int, engines: list[str]) -> dict:
    """Let all engines speak the sentences in turns."""
    from silvertalk.engine.model import snr
    from silvertalk.tts import Synthesizer

    text2speech = Synthesizer.from_exp(exp_dir).text2speech
    speakers = {name: speaker for name in engines if (speaker := possible(text2speech, name))}
    voices = {name: speaker.model.jets for name, speaker in speakers.items()}
    tokens = [text2speech.preprocess_fn("", {"text": text})["text"] for text in SENTENCES]
    wanted = [text2speech(ids)["wav"].numpy() for ids in tokens]
    seconds = sum(map(len, wanted)) / text2speech.fs
    one = next(iter(voices.values()))
    ways = {name: lambda voice=voice: speak(voice, tokens) for name, voice in voices.items()}
    ways["ESPnet's Text2Speech"] = lambda: [text2speech(ids) for ids in tokens]
    ways["the half that stays in torch"] = lambda: [one.frames(ids) for ids in tokens]
    report = {name: {} for name in ways}
    for name, voice in voices.items():
        given = speak(voice, tokens)  # which also warms it up
        pieces = [np.concatenate(list(voice.stream(voice.frames(ids)))) for ids in tokens]
        report[name]["snr_db"] = round(snr(np.concatenate(given), np.concatenate(wanted)), 1)
        apart = max(np.abs(a - b).max() for a, b in zip(given, wanted, strict=True))
        report[name]["largest_difference"] = float(f"{apart:.2g}")
        report[name]["pieces_against_whole_db"] = round(snr(np.concatenate(pieces), np.concatenate(given)), 1)
        taken = [first_sound(speakers[name]) for _ in range(rounds)]
        report[name]["first_sound_ms"] = round(1000 * statistics.median(taken))
    wall, busy = take_turns(ways, rounds)
    for name in ways:
        ratios = [a / b for a, b in zip(wall["torch fp32"], wall[name], strict=True)]
        report[name] |= {
            "real_time_factor": round(statistics.median(wall[name]) / seconds, 4),
            "processor_seconds_per_second": round(statistics.median(busy[name]) / seconds, 4),
            "times_as_fast_as_torch_fp32": round(statistics.median(ratios), 2),
        }
    return {"seconds_of_sound": round(seconds, 2), "engines": report}


def possible(text2speech, name: str):
    """A synthesizer with an engine, or None where this machine has none."""
    from silvertalk.tts import Synthesizer

    engine, precision = name.split()
    try:
        return Synthesizer(text2speech, engine=engine, precision=precision)
    except (ValueError, RuntimeError) as error:
        logging.warning("%s: %s", name, error)
        return None


def take_turns(ways: dict, rounds: int) -> tuple[dict, dict]:
    """Run functions in turns; times on the clock, and of all processor cores together (seconds)."""
    wall, busy = ({name: [] for name in ways} for _ in range(2))
    for _ in range(rounds):
        for name, way in ways.items():
            begun, worked = time.perf_counter(), time.process_time()
            way()
            wall[name].append(time.perf_counter() - begun)
            busy[name].append(time.process_time() - worked)
    return wall, busy


def speak(voice, tokens: list[np.ndarray]) -> list[np.ndarray]:
    """Sound of some sentences."""
    return [voice.sound(voice.frames(ids)) for ids in tokens]


def first_sound(synthesizer) -> float:
    """Seconds from a text of thirty sentences to the first piece of its sound."""
    begun = time.perf_counter()
    next(iter(next(synthesizer.stream(TEXT, in_pieces=True)).pieces))
    return time.perf_counter() - begun


def measure_memory(exp_dir: Path, name: str) -> dict:
    """Load a voice, speak a text, say the peak of this process."""
    from silvertalk.tts import Synthesizer

    engine, precision = name.split()
    begun = time.perf_counter()
    synthesizer = Synthesizer.from_exp(exp_dir, engine=engine, precision=precision)
    opened = time.perf_counter() - begun
    synthesizer(" ".join(SENTENCES))
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    return {"load_s": round(opened, 1), "peak_mb": int(peak[1]) // 1024}


def alone(function, *arguments):
    """Run a function in a fresh process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exp", type=Path, help="experiment folder of a JETS whose tokens are lower-case letters")
    parser.add_argument("--rounds", type=int, default=7, help="turns of which medians are given")
    parser.add_argument("--engines", nargs="+", default=ENGINES, help="backend and precision each, beside torch fp32")
    parser.add_argument("--no_memory", action="store_true", help="measure speed only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["SILVERTALK_CACHE"] = f"{name}/cache"
        exp_dir = arguments.exp or Path(name)
        if not arguments.exp:
            alone(make_voice, exp_dir)
        report = {"machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"}
        report["load_average"] = round(os.getloadavg()[0], 1)
        engines = list(dict.fromkeys(["torch fp32", *arguments.engines]))
        report |= alone(measure_speed, exp_dir, arguments.rounds, engines)
        for engine, figures in report["engines"].items():
            if "snr_db" in figures and not arguments.no_memory:
                figures |= alone(measure_memory, exp_dir, engine)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
