"""Training of the sync expert."""

from dataclasses import dataclass, replace
from pathlib import Path

import lightning
from lightning.pytorch.utilities import rank_zero_only

from silvertalk.syncnet.checkpoint import FAMILY
from silvertalk.syncnet.dataset import SyncNetDataset, load_datasets
from silvertalk.syncnet.guard import GuardOptions, check_expert
from silvertalk.syncnet.modules import SyncNetTraining
from silvertalk.training.fit import TrainerOptions, choose_precision, fit
from silvertalk.training.learning import OptimOptions, save_training
from silvertalk.training.sampling import LoaderOptions, make_loaders


@dataclass
class NetworkOptions:
    """Size of a network."""

    img_size: int | None = None  # side of the face picture (pixels): 96, 192, 256, 288 or 384; null: of --init, or 96
    width: float | None = None  # factor on all channel counts; 1 is the published network; null: of --init, or 1


@dataclass
class DataOptions(LoaderOptions):
    """How samples are read."""

    batch_size: int = 64  # windows, of each process


def train_syncnet(
    train_dir: str,
    valid_dir: str,
    exp_dir: str,
    init: str | None = None,
    model: NetworkOptions = NetworkOptions(),
    data: DataOptions = DataOptions(),
    optim: OptimOptions = OptimOptions(),
    guard: GuardOptions = GuardOptions(),
    trainer: TrainerOptions = TrainerOptions(),
) -> None:
    """Train the sync expert.

    Args:
        train_dir: Face dump for training, e.g. dump/face/tr_no_dev.
        valid_dir: Face dump for validation, e.g. dump/face/dev.
        exp_dir: Experiment folder; training resumes if it was interrupted.
        init: Checkpoint or experiment folder to fine-tune, e.g. the published lipsync_expert.pth.
        model: Size of the network.
        data: How samples are read.
        optim: The optimiser.
        guard: The trial before a new training.
        trainer: Length, precision, devices.
    """
    lightning.seed_everything(trainer.seed, verbose=False)
    network = FAMILY.start("SyncNet", init, **vars(model))
    save_training("syncnet", exp_dir, network, init=init, data=data, optim=optim, guard=guard, trainer=trainer)
    datasets = load_datasets(SyncNetDataset, (train_dir, valid_dir), network.img_size, data, trainer.seed)
    if not (Path(exp_dir) / "checkpoint.pth").is_file():
        trainer = replace(trainer, precision=choose_precision(trainer))
        device, bf16 = "cuda" if trainer.ngpu else "cpu", trainer.precision.startswith("bf16")
        rank_zero_only(check_expert)(network, datasets[0], train_dir, exp_dir, guard, device, bf16)
    loaders = make_loaders(*datasets, data.batch_size, data.num_workers, trainer)
    fit(SyncNetTraining(network, optim), *loaders, exp_dir, trainer)
