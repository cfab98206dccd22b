"""Calls under Kaldi's contract, slurm.conf files and what the cluster says; no cluster is needed."""

import sys
from pathlib import Path

import pytest

from silvertalk.utils import slurm

ROOT = Path(__file__).resolve().parents[2]


def test_a_call():
    words = "--mem 4G --num-threads 2 --max_jobs_run 3 JOB=2:4 log/x.JOB.log python -m worker --job JOB --gpu 1"
    call = slurm.parse_call(words.split())
    assert call.options == {"mem": "4G", "num_threads": "2", "max_jobs_run": "3"}
    assert list(call.numbers) == [2, 3, 4] and call.log_of(3) == Path("log/x.3.log")
    assert call.command == ["python", "-m", "worker", "--job", "JOB", "--gpu", "1"]


def test_a_call_without_numbers():
    call = slurm.parse_call(["JOBS/x.log", "true"])
    assert list(call.numbers) == [1] and call.log_of(1) == Path("JOBS/x.log")


@pytest.mark.parametrize(
    "words, message",
    [
        ("x.log", "a log file and a command"),
        ("JOB=0:2 x.JOB.log true", "empty range or starts below 1"),
        ("JOB=3:2 x.JOB.log true", "empty range"),
        ("JOB=1:x x.JOB.log true", "not of the form JOB=1:N"),
        ("JOB=1:2 x.log true", "2 jobs need as many logs"),
        ("--gpu many x.log true", "--gpu: 'many' is not a number"),
        ("--retries -1 x.log true", "--retries: '-1' is not a number"),
        ("--mem", "--mem needs a value"),
    ],
)
def test_a_wrong_call(words, message):
    with pytest.raises(ValueError, match=message):
        slurm.parse_call(words.split())


CONFIG = """\
# of a Kaldi recipe
command sbatch -p cpu --account=speech --exclusive
option mem=* --mem-per-cpu $0
option mem=0          # this one asks for nothing
option num_threads=* -c $0 --ntasks-per-node=1
option num_threads=1 -c 1
default num_threads=1
option gpu=0
option gpu=* -p gpu --gres=gpu:$0 -c 4
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "slurm.conf"
    path.write_text(CONFIG)
    return path


def test_what_a_call_asks_for(config):
    always = {"account": "speech", "exclusive": True}
    assert slurm.sbatch_options(config, {}) == always | {"partition": "cpu", "cpus_per_task": "1"}
    assert slurm.sbatch_options(config, {"mem": "0", "gpu": "0", "retries": "2", "max_jobs_run": "9"}) == (
        always | {"partition": "cpu", "cpus_per_task": "1"}
    )
    # What is given wins over a default; of two that are given, the later line.
    assert slurm.sbatch_options(config, {"gpu": "2", "mem": "4G"}) == (
        always | {"partition": "gpu", "gres": "gpu:2", "cpus_per_task": "4", "mem_per_cpu": "4G"}
    )
    both = slurm.sbatch_options(config, {"num_threads": "8", "gpu": "1"})
    assert both["cpus_per_task"] == "4" and both["ntasks_per_node"] == "1"


def test_an_option_without_a_line(config):
    with pytest.raises(ValueError, match=r"slurm.conf has no line `option time=1:00 ...`"):
        slurm.sbatch_options(config, {"time": "1:00"})


@pytest.mark.parametrize("line", ["options mem=* --mem $0", "option mem --mem $0", "default time", "command"])
def test_a_line_of_no_known_form(config, line):
    config.write_text(CONFIG + line + "\n")
    with pytest.raises(ValueError, match=r"slurm.conf:10: "):
        slurm.sbatch_options(config, {})


@pytest.mark.parametrize("words", ["-Z 1", "cpu", "--mem 4G 5G"])
def test_no_option_of_sbatch(words):
    with pytest.raises(ValueError):
        slurm.parse_flags(words.split())


def test_the_repository_s_own_file():
    given = {"mem": "4G", "time": "1:00:00", "num_threads": "2", "gpu": "1", "num_nodes": "2"}
    assert slurm.sbatch_options(ROOT / "conf/slurm.conf", given) == {
        "mem": "4G",
        "time": "1:00:00",
        "cpus_per_task": "2",
        "gres": "gpu:1",
        "nodes": "2",
    }
    assert slurm.sbatch_options(ROOT / "conf/slurm.conf", {"gpu": "0"}) == {"time": "24:00:00"}


@pytest.mark.parametrize(
    "text, number",
    [("90", 90), ("10:00", 10), ("0:30", 1), ("1:30:00", 90), ("1:00:01", 61), ("2-0", 2880), ("2-12:30", 3630)],
)
def test_minutes(text, number):
    assert slurm.minutes(text) == number


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "-5", "1-2-3"])
def test_no_time(text):
    with pytest.raises(ValueError):
        slurm.minutes(text)


def test_ranges():
    assert slurm.ranges([7, 1, 3, 2, 9]) == "1-3,7,9"


def test_states():
    text = "12_0|CANCELLED by 1000|None\n12_1|RUNNING|None\n12_2|PENDING|Resources\n13|CANCELLED+|\nsqueue: odd\n"
    assert slurm.read_states(text) == {
        "12_0": ("CANCELLED", "None"),
        "12_1": ("RUNNING", "None"),
        "12_2": ("PENDING", "Resources"),
        "13": ("CANCELLED", ""),
    }


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Make programs of that name that run a line of shell."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(**lines):
        for name, line in lines.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
            (tmp_path / name).chmod(0o755)

    return make


def test_a_forgotten_array_is_looked_up_in_the_accounts(programs):
    programs(
        squeue="echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", sacct="echo '5_1|FAILED|None'"
    )
    assert slurm.job_states("5") == {"5_1": ("FAILED", "None")}
    programs(sacct="echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert slurm.job_states("5") == {}


def test_a_cluster_that_does_not_answer(programs):
    programs(squeue="echo 'Unable to contact slurm controller' >&2; exit 1", scontrol="exit 1")
    assert slurm.job_states("5") is None
    assert slurm.max_array_size() == 1000
    programs(scontrol="echo 'MaxArraySize            = 101'")
    assert slurm.max_array_size() == 100


def test_a_task_is_a_job_of_run_local(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    code = "import os; print(JOB, os.environ['OMP_NUM_THREADS'], '<%s>' % os.environ['CUDA_VISIBLE_DEVICES'])"
    log = str(tmp_path / "x.JOB.log")
    call = slurm.Call(log, [sys.executable, "-c", code], {"gpu": "0", "mem": "4G"}, "JOB", 1, 9)
    task = slurm.Task(call, str(ROOT / "local/run_local.sh"))
    task(7)
    text = (tmp_path / "x.7.log").read_text()
    assert "\n7 3 <>\n" in text and "# Ended (code 0)" in text
    call.command = ["false"]
    with pytest.raises(RuntimeError, match="x.7.log"):
        task(7)
    assert (tmp_path / "x.7.log.1").read_text() == text
    assert "# Ended (code 1)" in (tmp_path / "x.7.log").read_text()
