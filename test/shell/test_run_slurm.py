"""Jobs on a real Slurm cluster: one of two nodes that the tests start on this machine, where Slurm is installed."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.recipe  # a cluster takes seconds to start, and so does each of its jobs
ROOT = Path(__file__).resolve().parents[2]
START = ROOT / "tools/start_slurm.sh"


@pytest.fixture(scope="module")
def cluster():
    """A cluster of our own; its environment variables."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(name, path=path)]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed; tools/start_slurm.sh --install does it")
    # Not below pytest's folders: a socket's name must be short.
    with tempfile.TemporaryDirectory(prefix="slurm", ignore_cleanup_errors=True) as folder:
        made = subprocess.run([START, f"{folder}/c"], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            pytest.skip(f"Slurm is installed but does not start here: {made.stdout[-500:]}{made.stderr[-500:]}")
        try:
            environment = {"SLURM_CONF": f"{folder}/c/slurm.conf"}
            tried = ["timeout", "60", "srun", "--time=1", "true"]
            done = subprocess.run(tried, env=os.environ | environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                pytest.skip(f"Slurm starts here but runs no job: {done.stdout[-500:]}{done.stderr[-500:]}")
            yield environment
        finally:
            subprocess.run([START, "--stop", f"{folder}/c"], check=True)


@pytest.fixture
def slurm(cluster, tmp_path):
    """Run a program of the cluster in ``tmp_path``; what it said is in ``stdout``."""

    def run(*command, check: bool = True, **variables) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(part) for part in command],
            cwd=tmp_path,
            env=_environment(cluster) | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=check,
        )

    return run


@pytest.fixture
def run_slurm(slurm):
    return lambda *arguments, **variables: slurm(ROOT / "local/run_slurm.py", *arguments, check=False, **variables)


@pytest.fixture
def start(cluster, tmp_path):
    """Start run_slurm.py without waiting for it; it is ended with the test."""
    with contextlib.ExitStack() as stack:

        def run(*arguments, before: tuple = ()) -> subprocess.Popen:
            command = [str(part) for part in (*before, ROOT / "local/run_slurm.py", *arguments)]
            process = stack.enter_context(
                subprocess.Popen(
                    command,
                    cwd=tmp_path,
                    env=_environment(cluster),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    # The signals of a test run in the background of a shell are ignored.
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                )
            )
            stack.callback(process.kill)
            return process

        yield run


def _environment(cluster: dict) -> dict:
    """The environment as path.sh makes it."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    return os.environ | cluster | {"PATH": path, "PYTHONPATH": str(ROOT)}


def _wait_for(path: Path, seconds: float = 60) -> None:
    end = time.time() + seconds
    while not path.exists():
        assert time.time() < end, f"{path} did not appear"
        time.sleep(0.1)


def test_without_a_cluster(shell, root):
    result = shell(sys.executable, root / "local/run_slurm.py", "x.log", "true", PATH="/nowhere", PYTHONPATH=str(root))
    assert result.returncode == 1 and "no program sbatch here" in result.stdout


def test_an_array_of_jobs(run_slurm, tmp_path):
    odd = ["", "a b", "$HOME", "it's", '"', "*", "line\n", "\\"]
    result = run_slurm("--num-threads", 2, "--gpu", 0, "JOB=2:4", "log/x.JOB.log", "printf", "<%s>", "JOB", *odd)
    assert result.returncode == 0, result.stdout
    for job in (2, 3, 4):
        text = (tmp_path / f"log/x.{job}.log").read_text()
        assert "".join(f"<{word}>" for word in [str(job), *odd]) in text
        assert text.startswith(f"# printf \\<%s\\> {job} ") and "# Ended (code 0) at " in text
    # Nothing but the logs is left.
    assert sorted(os.listdir(tmp_path / "log")) == ["x.2.log", "x.3.log", "x.4.log"]


def test_resources_and_a_job_that_always_fails(run_slurm, tmp_path):
    show = 'echo "JOB: ${OMP_NUM_THREADS} <${CUDA_VISIBLE_DEVICES}>"; touch did.JOB; exit $((JOB == 2))'
    options = ["--num-threads", 2, "--gpu", 1, "--mem", "1G", "--retries", 1]
    result = run_slurm(*options, "JOB=1:3", "x.JOB.log", "bash", "-c", show)
    assert result.returncode == 1
    assert "tried again (1 of 1): 2\n" in result.stdout
    assert "error: 1 of 3 jobs failed; the end of x.2.log:" in result.stdout
    assert re.search(r"^    2: 2 <0>\n(    .*\n)*    # Ended \(code 1\)", result.stdout, re.MULTILINE)
    assert (tmp_path / "did.1").exists() and (tmp_path / "did.3").exists()
    assert (tmp_path / "x.2.log.1").exists() and not (tmp_path / "x.1.log.1").exists()


def test_a_refused_call(run_slurm, tmp_path):
    result = run_slurm("--gpu", 9, "x.log", "true")
    assert result.returncode == 1
    assert "sbatch refused the jobs of x.log" in result.stdout and "conf/slurm.conf" in result.stdout
    result = run_slurm("--tmem", "9G", "x.log", "true")
    assert result.returncode == 1 and "has no line `option tmem=9G" in result.stdout
    result = run_slurm("/proc/self/log/x.log", "true")
    assert result.returncode == 1 and "cannot write /proc/self/log/x.log" in result.stdout
    result = run_slurm("x.log", "true", SILVERTALK_SLURM_CONF="none.conf")
    assert result.returncode == 1 and "no none.conf; let --config" in result.stdout


def test_an_interrupted_run_cancels_its_jobs(start, slurm, tmp_path):
    run = start("JOB=1:12", "x.JOB.log", "bash", "-c", "touch on.JOB; sleep 300")
    _wait_for(tmp_path / "on.1")
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=60) == 130
    assert "cancels its jobs" in run.stdout.read()
    assert slurm("squeue", "--noheader").stdout == ""


def test_a_retry_that_helps(run_slurm, tmp_path):
    job = "[ JOB != 2 ] || [ -e on.2 ] || { touch on.2; exit 1; }"
    result = run_slurm("--retries", 3, "JOB=1:3", "x.JOB.log", "bash", "-c", job)
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("tried again") == 1


def test_jobs_end_when_the_one_who_started_them_was_killed(start, slurm, tmp_path):
    outer = ("bash", "-c", 'run=$1; shift; "${run}" "$@"; true', "outer")
    run = start("x.log", "bash", "-c", "touch on.1; sleep 300", before=outer)
    _wait_for(tmp_path / "on.1")
    run.kill()
    run.wait()
    end = time.time() + 60
    while slurm("squeue", "--noheader").stdout:
        assert time.time() < end
        time.sleep(0.5)


def test_jobs_of_a_run_that_was_killed_make_way_for_the_next(start, run_slurm, tmp_path):
    run = start("x.log", "bash", "-c", "touch on.1; sleep 300")
    _wait_for(tmp_path / "on.1")
    run.kill()
    result = run_slurm("x.log", "echo", "second")
    assert result.returncode == 0
    assert "cancels the jobs that an earlier run left" in result.stdout
    assert "\nsecond\n" in (tmp_path / "x.log").read_text()


def test_a_cancelled_job_is_told_as_such(start, slurm, tmp_path):
    job = "[ ! -e on.JOB ] || exit 0; touch on.JOB; sleep $((JOB == 1 ? 300 : 5)); touch ended.JOB"
    run = start("--retries", 2, "JOB=1:2", "x.JOB.log", "bash", "-c", job)
    _wait_for(tmp_path / "on.1")
    slurm("scancel", sorted(slurm("squeue", "--noheader", "--array", "--format=%i").stdout.split())[0])
    text = run.stdout.read()
    assert run.wait() == 1
    assert "jobs 1 were cancelled" in text and "1 of 2 jobs failed" in text and "tried again" not in text
    assert (tmp_path / "ended.2").exists()


def test_too_little_memory_is_told_as_such(run_slurm):
    job = "import time; x = bytearray((1000 if JOB == 2 else 1) << 20); time.sleep(4)"
    result = run_slurm("--mem", "500M", "--retries", 1, "JOB=1:2", "x.JOB.log", "python", "-c", job)
    assert result.returncode == 1
    assert "jobs 2 had too little memory; ask for more with --mem" in result.stdout
    assert "exceeded memory limit" in result.stdout and "tried again" not in result.stdout


@pytest.mark.parametrize("how", ["preempted", "its time is over"])
def test_a_job_goes_back_into_the_queue(start, slurm, tmp_path, how):
    run = start(
        "x.log", "bash", "-c", 'echo "try ${SLURM_RESTART_COUNT:-0}"; [ -e on.1 ] || { touch on.1; sleep 300; }'
    )
    _wait_for(tmp_path / "on.1")
    job = slurm("squeue", "--noheader", "--format=%A").stdout.strip()
    if how == "preempted":  # as the cluster does
        slurm("scontrol", "requeue", job)
    else:
        slurm("scancel", "--batch", "--signal=USR2", job)
    assert run.wait(timeout=120) == 0, run.stdout.read()
    assert "\ntry 1\n" in (tmp_path / "x.log").read_text()
    assert "\ntry 0\n" in (tmp_path / "x.log.1").read_text()


def test_a_command_on_two_nodes(run_slurm, tmp_path):
    show = 'echo "rank ${SLURM_PROCID} on ${SLURMD_NODENAME}, gpu ${CUDA_VISIBLE_DEVICES}"'
    result = run_slurm("--num-nodes", 2, "--gpu", 1, "x.log", "srun", "--export=ALL", "bash", "-c", show)
    assert result.returncode == 0, result.stdout
    text = (tmp_path / "x.log").read_text()
    assert "rank 0 on node1, gpu 0\n" in text and "rank 1 on node2, gpu 0\n" in text


DATA_SCRIPT = """#!/usr/bin/env bash
while [ $# -gt 0 ]; do case "$1" in --out) out=$2 ;; --db_root) db_root=$2 ;; esac; shift 2; done
cp -r "${db_root}/." "${out}"
"""


@pytest.fixture
def stage_2(slurm, tmp_path):
    """Run stages 1 and 2 on a small corpus of sounds: ``stage_2("name of the folder", backend, nj)``."""
    from silvertalk.media import write_audio

    rng = np.random.default_rng(0)
    for name in ("tr_no_dev", "dev", "eval1"):
        folder = tmp_path / "corpus" / name
        folder.mkdir(parents=True)
        ids = [f"a-{name}-{k}" for k in range(4 if name == "tr_no_dev" else 2)]
        for utt_id in ids:
            write_audio(folder / f"{utt_id}.wav", 0.3 * rng.standard_normal(16000).astype(np.float32), 16000)
        (folder / "wav.scp").write_text("".join(f"{utt_id} {folder}/{utt_id}.wav\n" for utt_id in ids))
        (folder / "utt2spk").write_text("".join(f"{utt_id} a\n" for utt_id in ids))
        (folder / "spk2utt").write_text(f"a {' '.join(ids)}\n")
        (folder / "text").write_text("".join(f"{utt_id} some text\n" for utt_id in ids))
    (tmp_path / "data.sh").write_text(DATA_SCRIPT)
    (tmp_path / "data.sh").chmod(0o755)

    def run(folder: str, backend: str, nj: int) -> str:
        command = f"{ROOT}/run.sh --workdir {folder} --corpus x --local_data data.sh --db_root corpus --stop_stage 2"
        done = slurm(
            *f"{command} --nj {nj}".split(),
            check=False,
            SILVERTALK_CMD_BACKEND=backend,
            SILVERTALK_PYTHON=sys.executable,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def _tree(folder: Path) -> dict[str, bytes]:
    """What stage 2 made but the logs and the jobs' own parts, with the folder's name taken out."""
    return {
        str(path.relative_to(folder)): path.read_bytes().replace(str(folder).encode(), b"")
        for path in sorted((folder / "dump").rglob("*"))
        if path.is_file() and not {"log", "parts"} & set(path.parts) and not path.name.startswith(".")
    }


def test_stage_2_is_the_same_on_a_cluster(stage_2, tmp_path):
    stage_2("local", "local", 1)
    assert "2 jobs as " in stage_2("slurm", "slurm", 2)
    tree = _tree(tmp_path / "local")
    assert len(tree) > 15 and _tree(tmp_path / "slurm") == tree
    # Killed with half of the work done, it does what is missing.
    part = tmp_path / "slurm/dump/raw/org/tr_no_dev/parts/part.2.jsonl"
    part.write_text(part.read_text().splitlines(keepends=True)[0] + '{"utt_id": "a-tr_no_dev')
    (tmp_path / "slurm/dump/raw/org/.done").rename(tmp_path / "slurm/dump/raw/org/.started")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "slurm").rglob("*.flac")}
    stage_2("slurm", "slurm", 2)
    assert _tree(tmp_path / "slurm") == tree
    again = [path.stem for path, made in times.items() if path.stat().st_mtime_ns != made]
    assert len(again) == 1 and again[0].startswith("a-tr_no_dev-")
