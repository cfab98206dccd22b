"""The job runner: Kaldi's contract, failures and kills."""

import functools
import os
import signal
import subprocess
import time

import pytest


@pytest.fixture
def run_local(root, shell):
    return lambda *arguments, **variables: shell(root / "local/run_local.sh", *arguments, **variables)


def test_every_job_has_its_log(run_local, tmp_path):
    result = run_local("JOB=1:3", "log/x.JOB.log", "echo", "number JOB", "a  b")
    assert result.returncode == 0
    assert result.stdout == ""  # quiet when nobody watches
    for job in (1, 2, 3):
        text = (tmp_path / f"log/x.{job}.log").read_text()
        assert f"\nnumber {job} a  b\n" in text
        assert text.startswith(f"# echo number\\ {job} a\\ \\ b \n# Running on ")
        assert "# Started at " in text
        assert "# Ended (code 0) at " in text


def test_arguments_arrive_as_they_are(run_local, tmp_path):
    odd = ["", "a b", "$HOME", "it's", '"', "*", "line\n", "\\"]
    assert run_local("x.log", "printf", "<%s>", *odd).returncode == 0
    assert "".join(f"<{word}>" for word in odd) in (tmp_path / "x.log").read_text()


def test_failures_are_counted_and_shown(run_local):
    result = run_local("JOB=1:4", "x.JOB.log", "bash", "-c", "echo word JOB; exit $((JOB > 2))")
    assert result.returncode == 1
    assert "2 of 4 jobs failed; the end of x.3.log:" in result.stdout
    assert "word 3" in result.stdout


def test_an_unknown_command_fails(run_local):
    result = run_local("x.log", "no-such-program")
    assert result.returncode == 1
    assert "no-such-program" in result.stdout


def test_max_jobs_run(run_local, tmp_path):
    job = "touch on.JOB; ls on.* | wc -l; sleep 0.3; rm on.JOB"
    assert run_local("--max-jobs-run", "2", "JOB=1:5", "x.JOB.log", "bash", "-c", job).returncode == 0
    logs = [(tmp_path / f"x.{job}.log").read_text().splitlines() for job in range(1, 6)]
    together = [int(line) for lines in logs for line in lines if line.isdigit()]
    assert len(together) == 5 and max(together) == 2


def test_cluster_options(run_local, tmp_path):
    show = 'echo "threads=${OMP_NUM_THREADS} gpus=<${CUDA_VISIBLE_DEVICES-unset}>"'
    options = ["--mem", "4G", "--time", "1:00", "--num-threads", "2", "--gpu"]
    assert run_local(*options, "0", "x.log", "bash", "-c", show).returncode == 0
    assert "threads=2 gpus=<>" in (tmp_path / "x.log").read_text()
    assert run_local(*options, "1", "x.log", "bash", "-c", show, CUDA_VISIBLE_DEVICES="0").returncode == 0
    assert "gpus=<0>" in (tmp_path / "x.log").read_text()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["x.log"], "a log file and a command are needed"),
        (["JOB=0:2", "x.JOB.log", "true"], "empty range or starts below 1"),
        (["JOB=3:2", "x.JOB.log", "true"], "empty range"),
        (["JOB=1:x", "x.JOB.log", "true"], "not of the form JOB=1:N"),
        (["JOB=1:2", "x.log", "true"], "2 jobs need 2 logs"),
        (["--max-jobs-run", "two", "x.log", "true"], "'two' is not a number"),
        (["/proc/self/log/x.log", "true"], "cannot make /proc/self/log"),
    ],
)
def test_wrong_use(run_local, arguments, message):
    result = run_local(*arguments)
    assert result.returncode == 1
    assert message in result.stdout


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_all_jobs(root, tmp_path, number, code):
    run = _start(root, tmp_path)
    run.send_signal(number)
    assert run.wait(timeout=10) == code
    _assert_gone(_job_ids(tmp_path))


def test_jobs_end_when_the_one_who_started_them_was_killed(root, tmp_path):
    run = _start(root, tmp_path, "bash", "-c", 'run=$1; shift; "${run}" "$@"; true', "outer")
    run.kill()
    run.wait()
    _assert_gone(_job_ids(tmp_path))


@pytest.mark.recipe  # seconds
def test_a_job_that_does_not_listen_ends_too(root, tmp_path):
    script = "trap '' TERM; echo $$ >ids.JOB; sleep 60; sleep 60"
    command = [root / "local/run_local.sh", "x.JOB.log", "bash", "-c", script]
    run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True)
    _wait_for_ids(tmp_path, 1)
    os.killpg(run.pid, signal.SIGTERM)  # as `timeout` and a terminal do
    assert run.wait(timeout=20) == 143
    _assert_gone(_job_ids(tmp_path))


def _start(root, tmp_path, *before) -> subprocess.Popen:
    """Start two jobs that write their process ids and those of their children, and sleep."""
    script = "sleep 60 & echo $$ $! >ids.JOB; wait"
    command = [
        *before,
        root / "local/run_local.sh",
        "--max-jobs-run",
        "2",
        "JOB=1:2",
        "x.JOB.log",
        "bash",
        "-c",
        script,
    ]
    # A test run in the background of a shell inherits a SIGINT that is ignored.
    heed_interrupts = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, preexec_fn=heed_interrupts)
    _wait_for_ids(tmp_path, 4)
    return run


def _wait_for_ids(tmp_path, number: int) -> None:
    end = time.time() + 10
    while len(_job_ids(tmp_path)) < number:
        assert time.time() < end, "the jobs did not start"
        time.sleep(0.05)


def _job_ids(tmp_path) -> list[int]:
    return [int(word) for path in tmp_path.glob("ids.*") for word in path.read_text().split()]


def _assert_gone(ids: list[int], seconds: float = 8) -> None:
    end = time.time() + seconds
    while any(_is_alive(number) for number in ids):
        assert time.time() < end, "jobs are still alive"
        time.sleep(0.1)


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
        # An ended process that nobody has waited for counts as gone.
        with open(f"/proc/{number}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
