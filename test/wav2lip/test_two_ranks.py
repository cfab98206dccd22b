"""Two processes train as one with the doubled batch does.

Each process costs seconds to start, so these tests are marked ``long``: ./test.sh --long
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from silvertalk.training.experiment import load_config
from silvertalk.training.sampling import EpochSampler
from silvertalk.wav2lip import load_checkpoint

ROOT = Path(__file__).resolve().parents[2]
# The expert's training; with FROZEN batch normalisation does not look at the batch.
TRAIN = """
import os, sys, torch
if os.environ.get("FROZEN"):
    torch.nn.BatchNorm2d.forward = lambda self, x: torch.nn.functional.batch_norm(
        x, self.running_mean, self.running_var, self.weight, self.bias)
from silvertalk.bin import train
train.main([os.environ.get("TASK", "syncnet"), *sys.argv[1:]])
"""


def options(face_dir, exp_dir, batch_size: int, num_nodes: int, max_epoch: int) -> list[str]:
    """Arguments of the expert's training."""
    return [
        f"--train_dir={face_dir}", f"--valid_dir={face_dir}", f"--exp_dir={exp_dir}", "--model.width=0.0625",
        f"--data.batch_size={batch_size}", "--data.num_workers=0", "--optim.lr=1e-3",
        f"--trainer.num_nodes={num_nodes}", f"--trainer.max_epoch={max_epoch}", "--trainer.num_iters_per_epoch=4",
        "--trainer.num_valid_iters=2",
    ]  # fmt: skip


NO_GUARD = ["--guard.steps=0"]


def start(arguments: list[str], rank: int = 0, processes: int = 1, port: int = 0, **variables) -> subprocess.Popen:
    """Start one process as srun does on its node."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")} | {"OMP_NUM_THREADS": "1"}
    if processes > 1:
        environment |= {
            "SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": str(processes),
            "SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": str(processes),
            "SLURM_PROCID": str(rank), "SLURM_NODEID": str(rank), "SLURM_LOCALID": "0",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo",
        }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN, *arguments],
        env=environment | variables,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(processes: list[subprocess.Popen]) -> None:
    """Wait for all of them, and see that they succeeded."""
    try:
        said = [process.communicate(timeout=200)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert not any(process.returncode for process in processes), "\n".join(said)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def losses(exp_dir) -> list[float]:
    """Validation loss of every epoch, as the log has it."""
    lines = (exp_dir / "train.log").read_text().splitlines()
    return [float(line.split("valid/loss=")[1].split(",")[0]) for line in lines if "valid/loss=" in line]


def test_shares_make_up_what_one_process_takes(monkeypatch):
    one = EpochSampler(8)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    for epoch in (0, 3):
        shares = []
        for rank in range(2):
            monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
            sampler = EpochSampler(4)
            sampler.set_epoch(epoch)
            assert len(list(sampler)) == len(sampler) == 4
            shares.append(list(sampler))
        one.set_epoch(epoch)
        with monkeypatch.context() as alone:
            alone.setattr(torch.distributed, "is_initialized", lambda: False)
            whole = list(one)
        # Batches of 2 by each are batches of 4 by one.
        for first in range(0, 4, 2):
            assert (
                sorted(shares[0][first : first + 2] + shares[1][first : first + 2]) == whole[2 * first : 2 * first + 4]
            )


def test_validation_repeats_its_samples():
    sampler = EpochSampler(4, repeats=True)
    sampler.set_epoch(7)
    assert list(sampler) == [0, 1, 2, 3]


@pytest.mark.long
def test_two_ranks_learn_what_one_learns_with_the_doubled_batch(face_dir, tmp_path):
    for epochs in (1, 2):  # the second call resumes
        port, arguments = free_port(), options(face_dir, tmp_path / "two", 8, 2, epochs)
        finish([start([*arguments, *NO_GUARD], rank, 2, port, FROZEN="1") for rank in range(2)])
        assert len(losses(tmp_path / "two")) == epochs  # one process alone writes the log
    finish([start([*options(face_dir, tmp_path / "one", 16, 1, 2), *NO_GUARD], FROZEN="1")])
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-3)
    assert {p.name for p in (tmp_path / "two").iterdir()} == {p.name for p in (tmp_path / "one").iterdir()}
    one, two = (load_checkpoint(tmp_path / name).state_dict() for name in ("one", "two"))
    for key in one:
        torch.testing.assert_close(one[key], two[key], rtol=1e-3, atol=1e-4)


@pytest.mark.long
def test_two_ranks_train_against_a_discriminator(face_dir, tmp_path):
    port, arguments = free_port(), options(face_dir, tmp_path / "gan", 4, 2, 1)
    arguments += [
        "--loss.adversarial_weight=0.1",
        "--trainer.accum_grad=2",
        "--trainer.ema=0.5",
        "--loss.sync_weight=0",
    ]
    finish([start(arguments, rank, 2, port, TASK="wav2lip") for rank in range(2)])
    [line] = [line for line in (tmp_path / "gan/train.log").read_text().splitlines() if "1 epoch:" in line]
    assert "train/disc_fake=" in line and "nan" not in line
    checkpoint = torch.load(tmp_path / "gan/checkpoint.pth", weights_only=False)
    assert checkpoint["global_step"] == 8  # four of each network


@pytest.fixture
def cluster():
    """A Slurm cluster of two nodes on this machine: its environment."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    if not all(shutil.which(name, path=path) for name in ("munged", "slurmctld", "slurmd", "srun")):
        pytest.skip("Slurm is not installed; tools/start_slurm.sh --install does it")
    with tempfile.TemporaryDirectory(prefix="slurm", ignore_cleanup_errors=True) as folder:
        if subprocess.run([ROOT / "tools/start_slurm.sh", f"{folder}/c"], check=False).returncode:
            pytest.skip("Slurm is installed but does not start here")
        yield os.environ | {
            "PATH": path, "PYTHONPATH": str(ROOT), "SLURM_CONF": f"{folder}/c/slurm.conf",
            "MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1",
            "SILVERTALK_ROOT": str(ROOT),
        }  # fmt: skip
        subprocess.run([ROOT / "tools/start_slurm.sh", "--stop", f"{folder}/c"], check=True)


# As run.sh starts a training.
TRAIN_JOB = """
set -euo pipefail
. "${SILVERTALK_ROOT}/local/common.sh"
. "${SILVERTALK_ROOT}/local/stages.sh"
cuda_cmd=${SILVERTALK_ROOT}/local/run_slurm.py ngpu=0 num_nodes=2
train_job 1 "$@"
"""


@pytest.mark.long
def test_a_training_on_two_nodes_of_a_cluster(cluster, face_dir, tmp_path):
    log, arguments = tmp_path / "log/train.log", options(face_dir, tmp_path / "exp", 8, 2, 1)
    command = [sys.executable, "-m", "silvertalk.bin.train", "syncnet", *arguments]
    result = subprocess.run(["bash", "-c", TRAIN_JOB, "run.sh", log, *command], env=cluster, check=False, timeout=300)
    said = log.read_text()
    assert result.returncode == 0, said
    assert "1 processes on each of 2 nodes (node[1-2])" in said
    assert "2 processes on 2 nodes" in (tmp_path / "exp/train.log").read_text()
    assert len(losses(tmp_path / "exp")) == 1
    assert load_config(tmp_path / "exp")["trainer"]["num_nodes"] == 2
