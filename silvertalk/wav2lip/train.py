"""Training of the sync expert and of the generator."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import lightning
import torch
from lightning.pytorch.utilities import rank_zero_only

from silvertalk import __version__
from silvertalk.data.face_clips import load_face_clips
from silvertalk.syncnet.guard import GuardOptions, check_expert
from silvertalk.syncnet.windows import SYNCNET_T
from silvertalk.training.experiment import resolved, save_config
from silvertalk.training.fit import TrainerOptions, choose_precision, fit
from silvertalk.training.learning import OptimOptions, make_loaders
from silvertalk.wav2lip import networks
from silvertalk.wav2lip.checkpoint import load_checkpoint
from silvertalk.wav2lip.dataset import MIN_CLIP_FRAMES, SyncNetDataset, Wav2LipDataset
from silvertalk.wav2lip.modules import (
    LossOptions,
    SyncNetTraining,
    Wav2LipGanTraining,
    Wav2LipTraining,
)
from silvertalk.wav2lip.networks import PatchDiscriminator, QualityDiscriminator
from silvertalk.wav2lip.samples import Preview


@dataclass
class NetworkOptions:
    """Size of a network."""

    img_size: int | None = None  # side of the face picture (pixels): 96, 192, 256, 288 or 384; null: of --init, or 96
    width: float | None = None  # factor on all channel counts; 1 is the published network; null: of --init, or 1


@dataclass
class DataOptions:
    """How samples are read."""

    batch_size: int = 16  # windows, of each process
    num_frames: int = 5  # frames of a window in generator training; the sync loss needs 5
    upper_jitter: int = 0  # frames by which the visible upper half may be early or late in generator training
    speaker_balance: float = 0.0  # 0: every clip is drawn equally often; 1: every speaker; between: between
    num_workers: int = 2  # loader processes


def _network(kind: str, init: str | None, model: NetworkOptions) -> torch.nn.Module:
    """Build a network, or load one to go on with.

    Args:
        kind: Class in networks.py.
        init: Checkpoint or experiment folder to go on with; None: a new network.
        model: Its size.

    Raises:
        ValueError: ``init`` holds another network, or one of another size.
    """
    if init is None:
        return getattr(networks, kind)(model.img_size or 96, model.width or 1.0)
    network = load_checkpoint(init)
    if type(network).__name__ != kind:
        raise ValueError(f"{init} holds a {type(network).__name__}; a {kind} is wanted")
    for name, wanted in (("img_size", model.img_size), ("width", model.width)):
        if wanted is not None and wanted != getattr(network, name):
            raise ValueError(f"{init} has {name} {getattr(network, name)}, not {wanted}; leave model.{name} out")
    logging.info("%s: %d pixels, width %g", init, network.img_size, network.width)
    return network.train()


def _datasets(dataset_class, train_dir, valid_dir, img_size: int, data: DataOptions, seed: int, **more):
    """Open the two face dumps.

    Raises:
        ValueError: Their pictures are smaller than what the network draws.
    """
    train, valid = (load_face_clips(folder, MIN_CLIP_FRAMES) for folder in (train_dir, valid_dir))
    stored = train[0].size()
    if stored < img_size:
        raise ValueError(
            f"{train_dir}: the pictures have {stored} pixels, the network {img_size}; run stages 3 and 4 with"
            f" --face_size {img_size}"
        )
    return (
        dataset_class(train, img_size, seed, augment=True, speaker_balance=data.speaker_balance, **more),
        dataset_class(valid, img_size, seed + 1),
    )


def train_syncnet(
    train_dir: str,
    valid_dir: str,
    exp_dir: str,
    init: str | None = None,
    model: NetworkOptions = NetworkOptions(),
    data: DataOptions = DataOptions(batch_size=64),
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
    network = _network("SyncNet", init, model)
    _save_config("syncnet", exp_dir, network, init=init, data=data, optim=optim, guard=guard, trainer=trainer)
    datasets = _datasets(SyncNetDataset, train_dir, valid_dir, network.img_size, data, trainer.seed)
    module = SyncNetTraining(network, optim)
    if not (Path(exp_dir) / "checkpoint.pth").is_file():
        trainer = replace(trainer, precision=choose_precision(trainer))
        device, bf16 = "cuda" if trainer.ngpu else "cpu", trainer.precision.startswith("bf16")
        rank_zero_only(check_expert)(network, datasets[0], train_dir, exp_dir, guard, device, bf16)
    loaders = make_loaders(*datasets, data.batch_size, data.num_workers, trainer)
    fit(module, *loaders, exp_dir, trainer, module.save_weights)


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
        syncnet_exp: Folder of the trained expert, or its checkpoint; without it the lips are not judged.
        init: Checkpoint or experiment folder to fine-tune, e.g. the published wav2lip.pth.
        init_discriminator: Checkpoint of the discriminator to go on with, e.g. visual_quality_disc.pth.
        model: Size of the network.
        data: How samples are read.
        optim: The optimiser.
        loss: What the generator is judged by.
        trainer: Length, precision, devices.
    """
    if loss.sync_weight > 0 and data.num_frames != SYNCNET_T:
        raise ValueError(
            f"the sync loss needs data.num_frames {SYNCNET_T}, not {data.num_frames}; or set loss.sync_weight 0"
        )
    if init_discriminator and not loss.adversarial_weight:
        raise ValueError("--init_discriminator without a discriminator; give loss.adversarial_weight, e.g. 0.07")
    lightning.seed_everything(trainer.seed, verbose=False)
    network = _network("Wav2Lip", init, model)
    expert = _network("SyncNet", syncnet_exp, NetworkOptions()) if syncnet_exp else None
    if expert is not None and expert.img_size != network.img_size:
        raise ValueError(f"{syncnet_exp} is for {expert.img_size} pixels, the generator for {network.img_size}")
    _save_config(
        "wav2lip", exp_dir, network, syncnet_exp=syncnet_exp, init=init, init_discriminator=init_discriminator,
        data=data, optim=optim, loss=loss, trainer=trainer,
    )  # fmt: skip
    windows = {"num_frames": data.num_frames, "upper_jitter": data.upper_jitter}
    datasets = _datasets(Wav2LipDataset, train_dir, valid_dir, network.img_size, data, trainer.seed, **windows)
    preview = Preview.from_dump(valid_dir, datasets[1].clips, network.img_size)
    parts = (network, optim, expert, loss, Path(exp_dir) / "images", preview)
    if loss.adversarial_weight:
        discriminator = _discriminator(loss.discriminator, network, init_discriminator)
        module = Wav2LipGanTraining(
            *parts, discriminator=discriminator, accum_grad=trainer.accum_grad, grad_clip=trainer.grad_clip
        )
    else:
        module = Wav2LipTraining(*parts)
    loaders = make_loaders(*datasets, data.batch_size, data.num_workers, trainer)
    fit(module, *loaders, exp_dir, trainer, module.save_weights)


def _discriminator(kind: str, generator: torch.nn.Module, init: str | None) -> torch.nn.Module:
    """Build the discriminator for a generator."""
    kinds = {"quality": QualityDiscriminator, "patch": PatchDiscriminator}
    network = kinds[kind](generator.img_size, generator.width)
    return load_checkpoint(init, network) if init else network


@rank_zero_only
def _save_config(task: str, exp_dir: str, network: torch.nn.Module, **sections) -> None:
    """Write what was asked for, the size of the network as it came to be."""
    model = {"img_size": network.img_size, "width": network.width}
    save_config(exp_dir, {"task": task, "version": __version__, "model": model, **resolved(**sections)})
