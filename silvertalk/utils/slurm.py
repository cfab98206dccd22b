"""Jobs on a Slurm cluster under Kaldi's contract: what a call asks for, what runs on a node, what the cluster says.

local/run_slurm.py puts these together; docs/CLUSTER.md is for its users.
"""

import math
import os
import re
import shlex
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from submitit.helpers import Checkpointable

# -- What is asked for

# Options of a call that are not for sbatch.
OWN_OPTIONS = ("max_jobs_run", "retries", "config")
# Of sbatch's one-letter options, those that a slurm.conf is likely to have.
LONG_NAMES = {
    "A": "account", "C": "constraint", "c": "cpus_per_task", "G": "gpus", "N": "nodes", "n": "ntasks",
    "p": "partition", "q": "qos", "t": "time", "w": "nodelist", "x": "exclude",
}  # fmt: skip


@dataclass
class Call:
    """A command line under Kaldi's contract."""

    log: str  # name of the log, with the job's name in it
    command: list[str]  # program and arguments
    options: dict[str, str] = field(default_factory=dict)  # without dashes, e.g. {"num_threads": "4"}
    job_name: str = ""  # "JOB"; empty: there is one job
    first: int = 1  # numbers of the jobs
    last: int = 1

    def log_of(self, number: int) -> Path:
        """Return a job's log."""
        return Path(self.log.replace(self.job_name, str(number)) if self.job_name else self.log)

    @property
    def numbers(self) -> range:
        """Numbers of the jobs."""
        return range(self.first, self.last + 1)


def parse_call(words: list[str]) -> Call:
    """Read ``[--name value ...] [JOB=1:N] LOG COMMAND...``.

    Raises:
        ValueError: The words are not of that form.
    """
    options, job_name, first, last = {}, "", 1, 1
    while words and words[0].startswith("-"):
        if len(words) < 2:
            raise ValueError(f"{words[0]} needs a value")
        name, value, *words = words
        options[name.lstrip("-").replace("-", "_")] = value
    for name in ("max_jobs_run", "retries", "num_threads", "num_nodes", "gpu"):
        if not options.get(name, "0").isdecimal():
            raise ValueError(f"--{name.replace('_', '-')}: '{options[name]}' is not a number")
    if words and re.match(r"[A-Za-z_]+=", words[0]):
        match = re.fullmatch(r"([A-Za-z_]+)=(\d+)(?::(\d+))?", words[0])
        if not match:
            raise ValueError(f"'{words[0]}' is not of the form JOB=1:N")
        job_name, first, last = match[1], int(match[2]), int(match[3] or match[2])
        if not 1 <= first <= last:
            raise ValueError(f"'{words[0]}' is an empty range or starts below 1")
        words = words[1:]
    if len(words) < 2:
        raise ValueError("a log file and a command are needed")
    if last > first and job_name not in words[0]:
        raise ValueError(f"{last - first + 1} jobs need as many logs: put {job_name} into the log's name '{words[0]}'")
    return Call(words[0], list(words[1:]), options, job_name, first, last)


def read_config(path: str | os.PathLike) -> tuple[list[str], dict[str, str], list[tuple[str, str, list[str]]]]:
    """Read a slurm.conf as Kaldi's slurm.pl knows it.

    Returns:
        Options of every job; default values by name; ``(name, value or "*", options)`` in the file's order.

    Raises:
        ValueError: A line is of no known form.
    """
    command, defaults, options = [], {}, []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        kind, *words = shlex.split(line, comments=True) or [""]
        name, _, value = words[0].partition("=") if words else ("", "", "")
        if kind == "command" and words:
            command = words[1:]
        elif kind == "default" and value:
            defaults[name] = value
        elif kind == "option" and value:
            options.append((name, value, words[1:]))
        elif kind:
            forms = "`command sbatch ...`, `default NAME=VALUE` or `option NAME=VALUE ...`"
            raise ValueError(f"{path}:{number}: '{line}' should be {forms}")
    return command, defaults, options


def parse_flags(words: list[str]) -> dict[str, str | bool]:
    """Read sbatch's options: ``["-p", "gpu", "--mem=4G", "--exclusive"]``.

    Returns:
        ``{"partition": "gpu", "mem": "4G", "exclusive": True}``

    Raises:
        ValueError: A word is no option.
    """
    flags: dict[str, str | bool] = {}
    words = list(words)
    while words:
        word = words.pop(0)
        name, _, value = word.partition("=")
        if re.match(r"-[A-Za-z]", word):
            if word[1] not in LONG_NAMES:
                raise ValueError(f"write sbatch's option '{word}' in its long form")
            name, value = LONG_NAMES[word[1]], word[2:]
        elif not word.startswith("--"):
            raise ValueError(f"'{word}' is no option of sbatch")
        if not value and words and not words[0].startswith("-"):
            value = words.pop(0)
        flags[name.lstrip("-").replace("-", "_")] = value or True
    return flags


def sbatch_options(config: str | os.PathLike, given: dict[str, str]) -> dict[str, str | bool]:
    """Return what a call asks sbatch for: what a slurm.conf says of every job, of its defaults and of what was given.

    Raises:
        ValueError: The file has no line for an option.
    """
    command, defaults, options = read_config(config)
    flags = parse_flags(command)
    given = {name: value for name, value in given.items() if name not in OWN_OPTIONS}
    for values in ({name: value for name, value in defaults.items() if name not in given}, given):
        # A line for the value itself stands above one for any value.
        exact = {(name, value) for name, value, _ in options} & set(values.items())
        used = set()
        for name, value, words in options:
            if name in values and value == (values[name] if (name, values[name]) in exact else "*"):
                flags |= parse_flags([word.replace("$0", values[name]) for word in words])
                used.add(name)
        for name in values.keys() - used:
            raise ValueError(
                f"{config} has no line `option {name}={values[name]} ...` or `option {name}=* ...`; add one"
            )
    return flags


def minutes(text: str) -> int:
    """Return the minutes of a time as sbatch takes it: ``90``, ``10:00``, ``1:30:00``, ``2-12``, ``2-12:30``."""
    if not re.fullmatch(r"(\d+-\d+(:\d+){0,2})|(\d+(:\d+){0,2})", text):
        raise ValueError(f"'{text}' is no time such as 90 (minutes), 12:00:00 or 2-00:00:00 (two days)")
    days, dash, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if not dash and len(parts) < 3:
        parts.insert(0, 0)  # without days, the hours are the first to be left out
    hours, mins, secs = (*parts, 0, 0)[:3]
    return max(1, math.ceil((int(days or 0) * 24 + hours) * 60 + mins + secs / 60))


# -- What runs on a node


class Task(Checkpointable):
    """One job of a call; submitit carries it to its node, and puts it back into the queue when its time is over.

    Args:
        call: The call; the job's number is the argument of ``__call__``.
        run_local: Path of run_local.sh, so that logs look as on one machine.
    """

    def __init__(self, call: Call, run_local: str):
        self.call, self.run_local = call, run_local

    def __call__(self, number: int) -> None:
        """Run the job; RuntimeError when it fails."""
        keep_log(self.call.log_of(number))
        threads = os.environ.get("SLURM_CPUS_PER_TASK") or os.environ["SLURM_CPUS_ON_NODE"]
        words = [self.run_local, "--num-threads", threads]
        words += ["--gpu", self.call.options["gpu"]] if "gpu" in self.call.options else []
        words += [f"{self.call.job_name}={number}"] if self.call.job_name else []
        process = subprocess.Popen([*words, self.call.log, *self.call.command])
        try:
            code = process.wait()
        finally:  # also when submitit ends this process, because the job goes back into the queue
            if process.poll() is None:
                process.terminate()
                process.wait()
        if code == 128 + signal.SIGTERM:
            # Cancelled or preempted: no result is left behind, the cluster knows which of the two it is.
            os._exit(code)
        if code:
            raise RuntimeError(f"the command failed, see {self.call.log_of(number)}")


def keep_log(path: Path) -> None:
    """Give the log of an earlier attempt another name, ``x.log.1``, ``x.log.2``."""
    if path.is_file() and path.stat().st_size:
        number = 1
        while Path(f"{path}.{number}").exists():
            number += 1
        path.rename(f"{path}.{number}")


# -- What the cluster says

# How Slurm says that jobs have ended, and what that means to the user.
ENDED = {
    "COMPLETED": "ended without a result; the folder of their logs must be one that the nodes see and may write in",
    "FAILED": "failed",
    "CANCELLED": "were cancelled, by a person or by the cluster; the same command goes on where they were",
    "OUT_OF_MEMORY": "had too little memory; ask for more with --mem in cmd.sh, and the same command goes on",
    "TIMEOUT": "had too little time; ask for more with --time in cmd.sh, and the same command goes on",
    "DEADLINE": "reached their deadline",
    "PREEMPTED": "had to make way for other jobs",
    "NODE_FAIL": "lost their node",
    "BOOT_FAIL": "lost their node",
    "UNKNOWN": "are not known to the cluster any more and left no result",
}
# Those that would only end so again.
FINAL = ("CANCELLED", "OUT_OF_MEMORY", "TIMEOUT", "DEADLINE")


def ask(*command: str) -> str | None:
    """Return what a program of Slurm says, or None when it has no answer."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return result.stdout
    # A job that ended long ago is forgotten, and that is an answer.
    return "" if "Invalid job id" in result.stderr else None


def job_states(array: str) -> dict[str, tuple[str, str]] | None:
    """Return an array's jobs, ``{"12_3": (state, why it waits)}``, or None when the cluster does not answer."""
    text = ask("squeue", "--noheader", "--array", "--states=all", f"--jobs={array}", "--format=%i|%T|%r")
    if text == "":
        # The controller forgets what has ended; the accounts, where there are any, do not.
        text = ask("sacct", "-X", "-n", "-P", "-o", "JobID,State,Reason", "-j", array) or ""
    return None if text is None else read_states(text)


def read_states(text: str) -> dict[str, tuple[str, str]]:
    """Read lines ``12_3|CANCELLED by 1000|None`` -> ``{"12_3": ("CANCELLED", "None")}``."""
    rows = (line.split("|") for line in text.splitlines())
    return {row[0]: (row[1].split()[0].rstrip("+"), row[2]) for row in rows if len(row) == 3}


def unfinished(options: list[str]) -> list[str]:
    """Return the ids of the jobs that squeue's options choose and that have not ended."""
    return sorted(set((ask("squeue", "--noheader", *options, "--format=%A") or "").split()))


def max_array_size() -> int:
    """Return how many jobs an array may have."""
    match = re.search(r"MaxArraySize\s*=\s*(\d+)", ask("scontrol", "show", "config") or "")
    return max(1, int(match[1]) - 1) if match else 1000


def ranges(numbers: list[int]) -> str:
    """Write numbers shortly, ``[1, 2, 3, 7]`` -> ``1-3,7``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
