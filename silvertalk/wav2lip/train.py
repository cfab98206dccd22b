"""Training of the generator."""

from dataclasses import dataclass
from pathlib import Path

import lightning
import torch

from silvertalk.syncnet.dataset import load_datasets
from silvertalk.syncnet.train import NetworkOptions
from silvertalk.syncnet.windows import SYNCNET_T
from silvertalk.training.fit import TrainerOptions, fit
from silvertalk.training.learning import OptimOptions, save_training
from silvertalk.training.sampling import LoaderOptions, make_loaders
from silvertalk.wav2lip.checkpoint import FAMILY, load_checkpoint
from silvertalk.wav2lip.dataset import Wav2LipDataset
from silvertalk.wav2lip.modules import LossOptions, Wav2LipGanTraining, Wav2LipTraining
from silvertalk.wav2lip.networks import PatchDiscriminator, QualityDiscriminator
from silvertalk.wav2lip.samples import Preview


@dataclass
class DataOptions(LoaderOptions):
    """How samples are read."""

    num_frames: int = 5  # frames of a window; the sync loss needs 5
    upper_jitter: int = 0  # frames by which the visible upper half may be early or late


def train_wav2lip(
    train_dir: str,
    valid_dir: str,
    exp_dir: str,
    syncnet_exp: str | None = None,
    init: str | None = None,
    init_discriminator: str | None = None,
    model: NetworkOptions = NetworkOptions(),
    data: DataOptions = DataOptions(),
    optim: OptimOptions = OptimOptions(),
    loss: LossOptions = LossOptions(),
    trainer: TrainerOptions = TrainerOptions(),
) -> None:
    """Train the Wav2Lip generator.

    Args:
        train_dir: Face dump for training, e.g. dump/face/tr_no_dev.
        valid_dir: Face dump for validation, e.g. dump/face/dev.
        exp_dir: Experiment folder; training resumes if it was interrupted.
        syncnet_exp: Folder of the trained expert, or its checkpoint; without it there is no sync loss.
        init: Checkpoint or experiment folder to fine-tune, e.g. the published wav2lip.pth.
        init_discriminator: Checkpoint of the discriminator to go on with, e.g. visual_quality_disc.pth.
        model: Size of the network.
        data: How samples are read.
        optim: The optimiser.
        loss: The losses of the generator.
        trainer: Length, precision, devices.
    """
    _check_options(data, loss, init_discriminator)
    lightning.seed_everything(trainer.seed, verbose=False)
    network = FAMILY.start("Wav2Lip", init, **vars(model))
    expert = FAMILY.load_network(syncnet_exp, "SyncNet") if syncnet_exp else None
    if expert is not None and expert.img_size != network.img_size:
        raise ValueError(f"{syncnet_exp} is for {expert.img_size} pixels, the generator for {network.img_size}")
    save_training(
        "wav2lip", exp_dir, network, syncnet_exp=syncnet_exp, init=init, init_discriminator=init_discriminator,
        data=data, optim=optim, loss=loss, trainer=trainer,
    )  # fmt: skip
    windows = {"num_frames": data.num_frames, "upper_jitter": data.upper_jitter}
    folders = train_dir, valid_dir
    datasets = load_datasets(Wav2LipDataset, folders, network.img_size, data, trainer.seed, **windows)
    preview = Preview.from_dump(valid_dir, datasets[1].clips, network.img_size)
    parts = (network, optim, expert, loss, Path(exp_dir) / "images", preview)
    module = _make_module(parts, loss, trainer, init_discriminator)
    fit(module, *make_loaders(*datasets, data.batch_size, data.num_workers, trainer), exp_dir, trainer)


def _check_options(data: DataOptions, loss: LossOptions, init_discriminator: str | None) -> None:
    """Refuse options that exclude each other."""
    if loss.sync_weight > 0 and data.num_frames != SYNCNET_T:
        raise ValueError(
            f"the sync loss needs data.num_frames {SYNCNET_T}, not {data.num_frames}; or set loss.sync_weight 0"
        )
    if init_discriminator and not loss.adversarial_weight:
        raise ValueError("--init_discriminator without a discriminator; give loss.adversarial_weight, e.g. 0.07")


def _make_module(parts: tuple, loss: LossOptions, trainer: TrainerOptions, init: str | None) -> Wav2LipTraining:
    """Make the training, with a discriminator where it is asked for; ``init`` is one to go on with."""
    if not loss.adversarial_weight:
        return Wav2LipTraining(*parts)
    kinds = {"quality": QualityDiscriminator, "patch": PatchDiscriminator}
    discriminator: torch.nn.Module = kinds[loss.discriminator](**parts[0].options)
    if init:
        load_checkpoint(init, discriminator)
    return Wav2LipGanTraining(
        *parts, discriminator=discriminator, accum_grad=trainer.accum_grad, grad_clip=trainer.grad_clip
    )
