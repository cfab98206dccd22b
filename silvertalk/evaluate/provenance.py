"""Where results come from: command, commit, machine, date and time taken."""

import os
import platform
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import silvertalk

# Worker (as in "-m silvertalk.bin.NAME", or "-m silvertalk.bin.train NAME", of a log's first line) -> stage.
STAGES = {
    "audio_dump": 2,
    "face_dump": 3,
    "audio_filter": 4,
    "sync_measure": 4,
    "sync_filter": 4,
    "tokenize_text": 5,
    "syncnet": 9,
    "wav2lip": 10,
    "makeittalk_autovc": 11,
    "makeittalk_dump": 11,
    "makeittalk_statistics": 11,
    "makeittalk_content": 12,
    "makeittalk_speaker": 13,
    "makeittalk_translation": 14,
    "face_decode": 15,
    "score_lips": 16,
    "score_voice": 16,
    "tts_inference": 8,
}
STAGE_NAMES = {
    2: "audio dump",
    3: "face dump",
    4: "sync correction and filtering",
    5: "token list",
    6: "voice statistics",
    7: "voice training",
    8: "voice decoding",
    9: "sync expert training",
    10: "Wav2Lip training",
    11: "portrait features, AutoVC training included",
    12: "content branch training",
    13: "speaker-aware branch training",
    14: "image translation training",
    15: "talking-face decoding",
    16: "scoring",
}
# Written by the job runner around every job.
STARTED = re.compile(r"^# Started at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.M)
ENDED = re.compile(r"^# Ended \(code 0\) at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.M)
HEAD = 20_000  # characters at either end of a log that are read


def describe_run(command: str, date: datetime, log_dirs: Sequence[str]) -> str:
    """Render the last section of the results page."""
    facts = [
        *([f"- command: `{command}`"] if command else []),
        f"- Silvertalk {silvertalk.__version__}, commit {git_commit()}",
        f"- machine: {machine()}",
        f"- date: {date:%Y-%m-%d %H:%M}",
    ]
    seconds = stage_seconds(log_dirs)
    if not seconds:
        return "\n".join(["## How it was made", "", *facts])
    table = ["| stage | | seconds |", "|---|---|---|"]
    table += [f"| {n} | {STAGE_NAMES[n]} | {s:.0f} |" for n, s in sorted(seconds.items())]
    return "\n".join(["## How it was made", "", *facts, "", *table])


def git_commit() -> str:
    """Short hash of the code's commit, marked when files differ from it."""
    git = ["git", "-C", str(Path(silvertalk.__file__).resolve().parent.parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True)
        status = [*git, "status", "--porcelain", "--untracked-files=no"]
        changed = subprocess.run(status, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.stdout.strip() + (" with local changes" if changed else "")


def machine() -> str:
    """Processor, usable cores, memory, and GPUs if there are any."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = f"{_processor()}, {cores} cores"
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        text += f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB memory"
    gpus = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    names = [m.group(1).strip() for g in gpus if (m := re.search(r"^Model:\s*(.+)$", g.read_text(), re.M))]
    return ", ".join([text, *names])


def _processor() -> str:
    """Name of the processor."""
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        match = None
    return match.group(1).strip() if match else platform.processor() or platform.machine()


def stage_seconds(log_dirs: Iterable[str]) -> dict[int, float]:
    """Time each stage's jobs took, as their logs say: stage -> seconds.

    Jobs that ran side by side count once. Failed and repeated work is not
    counted: a log holds the last try.
    """
    intervals = defaultdict(list)
    for folder in log_dirs:
        for path in Path(folder).rglob("*.log"):
            found = _read_interval(path)
            if found:
                intervals[found[0]].append(found[1:])
    return {stage: _covered(spans) for stage, spans in intervals.items()}


def _read_interval(path: Path) -> tuple[int, float, float] | None:
    """Read (stage, start, end) from a job's log; None for other files."""
    with open(path, "rb") as log:
        head = log.read(HEAD).decode(errors="replace")
        log.seek(max(0, path.stat().st_size - HEAD))
        tail = log.read().decode(errors="replace")
    started, ended = STARTED.search(head), ENDED.search(tail)
    stage = _stage(head.split("\n", 1)[0], path)
    if not (started and ended and stage):
        return None
    begin, end = (datetime.fromisoformat(m.group(1)).timestamp() for m in (started, ended))
    return stage, begin, end


def _stage(command: str, path: Path) -> int | None:
    """Tell the stage from a job's command line."""
    worker = re.search(r"-m (?:silvertalk|espnet2)\.bin\.(?:train )?(\w+)", command)
    if worker and worker.group(1) in ("gan_tts_train", "tts_train"):
        return 6 if "tts_stats" in str(path) else 7
    return STAGES.get(worker.group(1)) if worker else None


def _covered(spans: list[tuple[float, float]]) -> float:
    """Length of the union of intervals."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total
