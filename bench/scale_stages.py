"""Seconds, bytes and files of the stages on a small and a large part of GRID, as one JSON object.

    python bench/scale_stages.py --grid FOLDER [--spk s1] [--clips 15 150] [--jobs 1 2]
        [--stages 2 3] [--tts_exp EXP --wav2lip_exp EXP]

FOLDER is the corpus as published. Stages 1 to 6 run always; 8, 15 and 16,
which need trained models, where those are named (training itself takes as
many steps as its configuration says, whatever the size of the corpus).
Seconds are those of run.sh with that one stage, less those of a run that finds
it done. The exponent e is that of seconds ~ clips**e between the first and the
last size; with three sizes of one ratio, as 40 80 160, `growth` is that of
seconds ~ start + clips**growth. `per_hour` are seconds, bytes and files that an
hour of video more takes, from the difference of the first and the last size, so
without what every start costs.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = Path(__file__).resolve().parents[1] / "egs/grid/av1/run.sh"
SECONDS = 3.0  # of a clip
DATA_STAGES = [1, 2, 3, 4, 5, 6]
MODEL_STAGES = [8, 15, 16]


def link_corpus(source: Path, target: Path, spk: str, clips: int) -> None:
    """Make a corpus of some clips of a speaker, evenly taken."""
    found = sorted((source / spk).rglob("*.mpg"))
    if len(found) < clips:
        raise ValueError(f"{source / spk} has {len(found)} clips, fewer than {clips}; give a smaller --clips")
    (target / spk).mkdir(parents=True)
    for k in range(clips):
        path = found[k * len(found) // clips]
        (target / spk / path.name).symlink_to(path.absolute())


def usage(folder: Path) -> tuple[int, int]:
    """Bytes and files below a folder."""
    sizes = [p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
    return sum(sizes), len(sizes)


def run_stage(number: int, options: list[str]) -> float:
    """Run one stage: seconds, without those of a run that has nothing to do."""
    command = [str(RECIPE), "--stage", str(number), "--stop_stage", str(number), *options]
    times = []
    for _ in range(2):
        begun = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        times.append(time.monotonic() - begun)
        if done.returncode:
            raise RuntimeError(f"stage {number}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return times[0] - times[1]


def measure(arguments: argparse.Namespace, clips: int, jobs: int) -> dict[int, dict]:
    """Run the stages on one size: stage -> seconds, bytes, files."""
    result = {}
    with tempfile.TemporaryDirectory() as name:
        root, work = Path(name) / "corpus", Path(name) / "work"
        link_corpus(Path(arguments.grid), root, arguments.spk, clips)
        shares = "--dev_share 0.2 --eval_share 0.2"
        options = ["--workdir", str(work), "--db_root", str(root), "--nj", str(jobs), "--local_data_opts", shares]
        models = [f"--tts_exp={arguments.tts_exp}", f"--wav2lip_exp={arguments.wav2lip_exp}"]
        for stage in arguments.stages or DATA_STAGES + (MODEL_STAGES if arguments.tts_exp else []):
            before = usage(work)
            seconds = run_stage(stage, options + (models if stage in MODEL_STAGES else []))
            made = [now - then for now, then in zip(usage(work), before, strict=True)]
            result[stage] = {"seconds": round(seconds, 2), "bytes": made[0], "files": made[1]}
            print(f"{clips} clips, {jobs} jobs, stage {stage}: {result[stage]}", file=sys.stderr)
    return result


def compare(sizes: dict[int, dict[int, dict]]) -> dict[int, dict]:
    """Exponents and what an hour more takes, for every stage."""
    clips = list(sizes)
    hours = (clips[-1] - clips[0]) * SECONDS / 3600
    report = {}
    for stage in sizes[clips[0]]:
        less, more = sizes[clips[0]][stage], sizes[clips[-1]][stage]
        times = [sizes[number][stage]["seconds"] for number in clips]
        report[stage] = {"per_hour": {key: round((more[key] - less[key]) / hours) for key in more}}
        if min(times[0], times[-1]) > 0:
            report[stage]["exponent"] = round(math.log(times[-1] / times[0]) / math.log(clips[-1] / clips[0]), 2)
        if len(clips) == 3 and times[2] > times[1] > times[0]:
            ratio = (times[2] - times[1]) / (times[1] - times[0])
            report[stage]["growth"] = round(math.log(ratio) / math.log(clips[1] / clips[0]), 2)
    return report


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", required=True, help="GRID as published")
    parser.add_argument("--spk", default="s1", help="speaker whose clips are taken")
    parser.add_argument("--clips", type=int, nargs="+", default=[15, 150], help="sizes, ascending")
    parser.add_argument("--stages", type=int, nargs="+", help="only these; what they read is made by those before")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2], help="numbers of jobs at a time")
    parser.add_argument("--tts_exp", help="a trained voice")
    parser.add_argument("--wav2lip_exp", help="a trained face")
    arguments = parser.parse_args()
    if bool(arguments.tts_exp) != bool(arguments.wav2lip_exp):
        parser.error("give --tts_exp and --wav2lip_exp together")
    report = {"machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"}
    for jobs in arguments.jobs:
        sizes = {clips: measure(arguments, clips, jobs) for clips in arguments.clips}
        report[f"{jobs} jobs"] = {"sizes": sizes, "stages": compare(sizes)}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
