#!/usr/bin/env python
"""Runs jobs on a Slurm cluster under Kaldi's contract, as a job array that submitit submits.

    run_slurm.py [options] [JOB=1:N] LOG COMMAND [ARGUMENT...]

JOB in the log's name and in the command is replaced by the job's number. On its node every job is run by
run_local.sh, so its log is the same as on one machine; the log of an earlier attempt is kept as LOG.1, LOG.2 ...
Jobs that are preempted or reach their time go back into the queue. When jobs fail, the others go on, the
first one's log is shown in the end and the exit code is 1. A signal cancels all jobs.
  --max-jobs-run M   at most M jobs at a time
  --retries R        times that failed jobs are tried again (not those cancelled, or short of memory or time)
  --config FILE      what the other options mean to sbatch [SILVERTALK_SLURM_CONF or conf/slurm.conf]
  --mem SIZE, --time T, --num-threads T, --gpu G, --num-nodes N, and what else FILE has a line for
With several nodes the command runs once, on the first; `srun` in it starts a process on each.
"""

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError, pickle_load

from silvertalk.utils import slurm
from silvertalk.utils.slurm import Call, ranges

HERE = Path(__file__).resolve().parent
# submitit always asks for a time.
DEFAULT_TIME = "24:00:00"
# A job may reach its time this often before it counts as failed.
MAX_TIMEOUTS = 20
# Seconds before the end of its time at which a job goes back into the queue.
SIGNAL_DELAY = 90
# Seconds until an end without a result is believed: the result may come late over the network, and a job that
# was preempted or whose node failed goes back into the queue.
PATIENCE = {"COMPLETED": 60, "UNKNOWN": 60, "PREEMPTED": 30, "NODE_FAIL": 30}


def log(text: str) -> None:
    """Say something to whoever watches the recipe."""
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} (run_slurm.py) {text}", file=sys.stderr, flush=True)


def die(text: str) -> None:
    """Say what is wrong and what to do next, and end with code 1."""
    log(f"error: {text}")
    sys.exit(1)


class Interrupted(Exception):
    """The jobs have to end; says why."""


@dataclass
class Failure:
    """How a job failed."""

    state: str  # Slurm's word, a key of slurm.ENDED
    output: Path  # what Slurm and submitit said of it


class Runner:
    """Submits the jobs of one call, waits for them and says how they ended."""

    def __init__(self, call: Call, config: Path):
        self.call, self.config = call, config
        flags = slurm.sbatch_options(config, call.options)
        self.minutes = slurm.minutes(str(flags.pop("time", DEFAULT_TIME)))
        # Jobs of a killed run are found again by their name.
        path = Path(call.log).absolute()
        short = path.name.removesuffix(".log").replace(f".{call.job_name}", "")
        self.name = f"{short}.{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
        # "B": the signal goes to the batch script alone, whose place submitit's process takes (`exec` below).
        when = f"B:USR2@{min(SIGNAL_DELAY, self.minutes * 15)}"
        self.flags = {"requeue": True, **flags, "signal": when, "job_name": self.name}
        self.folder = call.log_of(call.first).absolute().parent / ".slurm" / self.name
        self.parent = os.getppid()
        self.stopped_by: int | None = None
        self.said = ""

    def run(self) -> int:
        """Return the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.note_signal)
        try:
            self.prepare()
            failures = self.run_all()
        except (Interrupted, FailedJobError, FailedSubmissionError) as error:
            refused = self.stopped_by is None and not isinstance(error, Interrupted)
            if refused:
                reason = str(error).strip().split("\n")[-1]
                log(f"error: sbatch refused the jobs of {self.call.log} ({reason}); see cmd.sh and {self.config}")
            else:
                log("stopped; cancels its jobs")
            self.cancel(seconds=15)
            self.remove_folder()
            return 128 + self.stopped_by if self.stopped_by else 1
        self.report(failures)
        self.remove_folder()
        return 1 if failures else 0

    def mine(self) -> list[str]:
        """Options of squeue and scancel that choose this call's jobs, also those submitted a moment ago."""
        return ["--user", str(os.getuid()), "--name", self.name]

    def cancel(self, seconds: float) -> None:
        """Cancel this call's jobs and wait until they have ended, at most so long."""
        subprocess.run(["scancel", *self.mine()], check=False)
        end = time.monotonic() + seconds
        while slurm.unfinished(self.mine()) and time.monotonic() < end:
            time.sleep(0.5)

    def note_signal(self, number: int, _) -> None:
        """Remember the first signal; it is heeded where no submission is under way."""
        self.stopped_by = self.stopped_by or number

    def check_interrupted(self) -> None:
        """Raise Interrupted after a signal, or when whoever started us is gone."""
        if self.stopped_by is not None or os.getppid() != self.parent:
            raise Interrupted

    def remove_folder(self) -> None:
        """Remove what submitit wrote."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.parent.is_dir() and not os.listdir(self.folder.parent):
            self.folder.parent.rmdir()

    def prepare(self) -> None:
        """End the jobs that a killed run left, and make sure that logs can be written."""
        left = slurm.unfinished(self.mine())
        if left:
            log(f"cancels the jobs that an earlier run left: {' '.join(left)}")
            self.cancel(seconds=300)
            if slurm.unfinished(self.mine()):
                die(f"they do not end; end them with scancel --name {self.name} and run the same command again")
        self.remove_folder()
        for number in self.call.numbers:
            path = self.call.log_of(number)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"")
            except OSError as error:
                die(f"cannot write {path} ({error.strerror}); choose another place or free the disk")

    def run_all(self) -> dict[int, Failure]:
        """Run the jobs, again where that may help; returns those that failed."""
        pending, failures = list(self.call.numbers), {}
        size, retries = slurm.max_array_size(), int(self.call.options.get("retries", 0))
        for attempt in range(retries + 1):
            if attempt:
                log(f"jobs that failed are tried again ({attempt} of {retries}): {ranges(pending)}")
            failed = {}
            for k in range(0, len(pending), size):
                failed |= self.run_array(pending[k : k + size])
            failures = {number: f for number, f in failures.items() if number not in pending} | failed
            pending = [number for number, failure in failed.items() if failure.state not in slurm.FINAL]
            if not pending:
                break
        return failures

    def submit(self, numbers: list[int]) -> list[submitit.Job]:
        """Hand an array to the cluster."""
        python = f"exec {shlex.quote(sys.executable)}"
        executor = submitit.SlurmExecutor(self.folder, max_num_timeout=MAX_TIMEOUTS, python=python)
        executor.update_parameters(
            time=self.minutes,
            wckey=None,
            use_srun=False,  # so that the command may use srun, as under slurm.pl
            stderr_to_stdout=True,
            array_parallelism=int(self.call.options.get("max_jobs_run", 0)) or len(numbers),
            additional_parameters=self.flags,
        )
        return executor.map_array(slurm.Task(self.call, str(HERE / "run_local.sh")), numbers)

    def run_array(self, numbers: list[int]) -> dict[int, Failure]:
        """Run some jobs as one array; returns those that failed."""
        self.check_interrupted()
        jobs = dict(zip(numbers, self.submit(numbers), strict=True))
        array = jobs[numbers[0]].job_id.split("_")[0]
        log(f"{len(jobs)} jobs as {array}, {self.name}")
        failed: dict[int, str] = {}
        waiting = dict(jobs)
        ended: dict[int, float] = {}  # since when a job has been over without a result, s
        start = asked = time.monotonic()
        while waiting:
            self.show_status(f"{len(jobs) - len(waiting)}/{len(jobs)} jobs done, {time.monotonic() - start:.0f} s")
            time.sleep(min(1.0, 0.1 + (time.monotonic() - start) / 20))
            self.check_interrupted()
            failed |= self.take_results(waiting)
            now = time.monotonic()
            if not waiting or now - asked < min(30.0, max(2.0, (now - start) / 10)):
                continue
            asked, states = now, slurm.job_states(array)
            if states is None:
                self.say("squeue does not answer; waits for it")
                continue
            for number, job in list(waiting.items()):
                state = states.get(job.job_id, ("UNKNOWN", ""))[0]
                if state not in slurm.ENDED:
                    ended.pop(number, None)
                elif now - ended.setdefault(number, now) >= PATIENCE.get(state, 4):
                    failed[number] = state
                    del waiting[number]
            if now - start > 60:
                self.say_why_waiting(states)
        self.show_status("")
        return {number: describe(jobs[number], state) for number, state in failed.items()}

    def take_results(self, waiting: dict[int, submitit.Job]) -> dict[int, str]:
        """Take the jobs that have left a result out of ``waiting``; returns the state of those that failed."""
        there = set(os.listdir(self.folder))  # one call for all jobs, and never a remembered answer
        failed = {}
        for number in [n for n, job in waiting.items() if job.paths.result_pickle.name in there]:
            outcome, value = pickle_load(waiting.pop(number).paths.result_pickle)
            if outcome != "success":
                failed[number] = "TIMEOUT" if "timed-out too many times" in value else "FAILED"
        return failed

    def say(self, text: str) -> None:
        """Say something, unless it was the last thing said."""
        if text != self.said:
            self.show_status("")
            log(text)
        self.said = text

    def say_why_waiting(self, states: dict[str, tuple[str, str]]) -> None:
        """Say why no job runs, in Slurm's word for it."""
        reasons = sorted({reason for state, reason in states.values() if state == "PENDING"})
        if reasons and all(state != "RUNNING" for state, _ in states.values()):
            self.say(f"the jobs wait: {', '.join(reasons)} (squeue --name {self.name})")

    def show_status(self, text: str) -> None:
        """Put one line at the bottom of a terminal; nothing takes it away."""
        if sys.stderr.isatty():
            print(f"\r\033[K{text and '  '}{text}", end="", file=sys.stderr, flush=True)

    def report(self, failures: dict[int, Failure]) -> None:
        """Say which jobs failed and why, and show the first one's log."""
        if not failures:
            return
        for state in sorted({failure.state for failure in failures.values()} - {"FAILED"}):
            numbers = [number for number, failure in failures.items() if failure.state == state]
            log(f"jobs {ranges(numbers)} {slurm.ENDED[state]}")
        first = min(failures)
        path = self.call.log_of(first)
        log(f"error: {len(failures)} of {len(self.call.numbers)} jobs failed; the end of {path}:")
        if "\n# Ended (code" not in show_end(path, 25):
            log("that log has no end; what Slurm says of the job:")
            show_end(failures[first].output, 10)


def describe(job: submitit.Job, state: str) -> Failure:
    """Return how a job failed; a command that was ended for lack of memory looks like one that fails."""
    output = job.paths.stdout
    if state in ("FAILED", "COMPLETED"):
        said = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        states = slurm.job_states(job.job_id) or {}
        lacked = re.search(r"memory limit|oom[-_ ]kill|out of memory", said, re.IGNORECASE)
        if lacked or states.get(job.job_id, ("", ""))[0] == "OUT_OF_MEMORY":
            state = "OUT_OF_MEMORY"
    return Failure(state, output)


def show_end(path: Path, number: int) -> str:
    """Show the last lines of a file on standard error; returns them."""
    lines = path.read_text(encoding="utf-8", errors="replace").rstrip().split("\n") if path.exists() else []
    for line in lines[-number:]:
        print("    " + line.rsplit("\r", 1)[-1], file=sys.stderr)
    return "\n".join(lines[-number:])


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
        return
    if shutil.which("sbatch") is None:
        die("no program sbatch here; run the recipe on a machine of the cluster, or choose the backend local in cmd.sh")
    if "SLURM_JOB_ID" in os.environ:
        # A recipe that is a job itself: what was asked for it must not be asked for its jobs.
        for name in [name for name in os.environ if name.startswith("SLURM_") and name != "SLURM_CONF"]:
            del os.environ[name]
    try:
        call = slurm.parse_call(sys.argv[1:])
        default = os.environ.get("SILVERTALK_SLURM_CONF") or HERE.parent / "conf/slurm.conf"
        config = Path(call.options.get("config", default))
        if not config.is_file():
            raise ValueError(f"no {config}; let --config or SILVERTALK_SLURM_CONF name an existing file")
        runner = Runner(call, config)
    except ValueError as error:
        die(str(error))
    sys.exit(runner.run())


if __name__ == "__main__":
    main()
