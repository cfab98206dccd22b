"""Training of the sync expert and of the generator."""

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import lightning
import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.data import DataLoader

from silvertalk import __version__
from silvertalk.data.face_clips import load_face_clips
from silvertalk.utils import atomic_path
from silvertalk.utils.experiment import resolved, save_config
from silvertalk.utils.training import TrainerOptions, fit
from silvertalk.wav2lip.checkpoint import load_network, save_checkpoint
from silvertalk.wav2lip.dataset import MIN_CLIP_FRAMES, EpochSampler, SyncNetDataset, Wav2LipDataset
from silvertalk.wav2lip.losses import cosine_bce, sync_loss, weighted_l1
from silvertalk.wav2lip.networks import SyncNet, Wav2Lip
from silvertalk.wav2lip.windows import SYNCNET_T

CHANCE = 0.693  # cross entropy of a guess


@dataclass
class NetworkOptions:
    """Size of a network."""

    img_size: int = 96  # side of the face picture (pixels)
    width: float = 1.0  # factor on all channel counts; 1 is the published network


@dataclass
class DataOptions:
    """How samples are read."""

    batch_size: int = 16  # windows, of each process
    num_frames: int = 5  # frames of a window in generator training; the sync loss needs 5
    upper_jitter: int = 0  # frames by which the visible upper half may be early or late in generator training
    num_workers: int = 2  # loader processes


@dataclass
class OptimOptions:
    """The optimiser (Adam)."""

    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    final_lr: float | None = None  # reached along a cosine at the end of the training; null: constant, as published


@dataclass
class LossOptions:
    """What the generator is judged by."""

    mouth_weight: float = 1.0  # of a mouth pixel against any other in the L1 distance
    sync_weight: float = 0.03  # of the expert's judgement once it is switched on; the rest is L1; 0: never
    sync_below: float = 0.75  # switched on when the validation sync loss falls below this


class _Training(lightning.LightningModule):
    """What both trainings share."""

    def __init__(self, network: torch.nn.Module, optim: OptimOptions):
        super().__init__()
        # Channels last is what oneDNN and tensor cores want.
        self.network = network.to(memory_format=torch.channels_last)
        self.optim = optim

    def configure_optimizers(self):
        """Adam, with a falling learning rate where one is asked for."""
        lr, final = self.optim.lr, self.optim.final_lr
        adam = torch.optim.Adam(
            self.network.parameters(), lr, tuple(self.optim.betas), weight_decay=self.optim.weight_decay
        )
        if final is None:
            return adam
        steps = self.trainer.estimated_stepping_batches
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps, eta_min=final)
        return {"optimizer": adam, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def save_weights(self, path: Path, step: int, epoch: int) -> None:
        """Write the network in the published layout."""
        save_checkpoint(path, self.network.state_dict(), step, epoch)

    def _log(self, stage: str, values: dict[str, torch.Tensor], batch_size: int) -> None:
        """Log means over the epoch."""
        self.log_dict(
            {f"{stage}/{k}": v for k, v in values.items()},
            on_step=False,
            on_epoch=True,
            batch_size=batch_size,
            sync_dist=True,
            prog_bar=True,
        )


class SyncNetTraining(_Training):
    """The expert learns to tell matching from shifted pairs."""

    def _step(self, batch: dict, stage: str) -> torch.Tensor:
        audio, face = self.network(batch["mel"], batch["face"])
        loss = cosine_bce(audio, face, batch["label"])
        right = ((audio * face).sum(1) > 0.5) == (batch["label"] > 0.5)
        self._log(stage, {"loss": loss, "accuracy": right.float().mean()}, len(face))
        return loss

    def training_step(self, batch, index):
        """One batch."""
        return self._step(batch, "train")

    def validation_step(self, batch, index):
        """One batch."""
        self._step(batch, "valid")

    def on_validation_epoch_end(self) -> None:
        """Say in plain words when nothing is being learnt."""
        loss = float(self.trainer.callback_metrics.get("valid/loss", 0))
        if self.current_epoch >= 4 and loss > CHANCE - 0.01:
            logging.warning(
                "the expert is still at chance (%.3f): look at utt2sync and utt2offset of stage 4, "
                "at the number of clips, or train longer",
                loss,
            )


class Wav2LipTraining(_Training):
    """The generator learns the picture (L1) and, once it is near, the expert's judgement."""

    def __init__(self, network, optim: OptimOptions, expert: SyncNet | None, loss: LossOptions, images_dir: Path):
        super().__init__(network, optim)
        # In a list, so that the frozen expert is neither trained nor saved with the generator.
        self._expert = [] if expert is None else [expert.eval().requires_grad_(False)]
        self.loss = loss
        self.images_dir = images_dir
        self.register_buffer("sync_weight", torch.zeros(()))  # saved, so that a resumed run goes on with it

    def on_fit_start(self) -> None:
        """Bring the expert to the generator's device."""
        for expert in self._expert:
            expert.to(self.device)

    def _losses(self, batch: dict, generated: torch.Tensor) -> dict[str, torch.Tensor]:
        values = {"l1": weighted_l1(generated, batch["target"], self.loss.mouth_weight)}
        if self._expert and (self.sync_weight > 0 or not self.training):
            values["sync"] = sync_loss(self._expert[0], batch["mels"][:, 0], generated)
        return values

    def training_step(self, batch, index):
        """One batch."""
        values = self._losses(batch, self.network(batch["mels"], batch["face"]))
        weight = self.sync_weight if "sync" in values else 0.0
        loss = (1 - weight) * values["l1"] + (weight * values["sync"] if "sync" in values else 0.0)
        self._log("train", {"loss": loss, **values}, len(batch["target"]))
        return loss

    def validation_step(self, batch, index):
        """One batch; the first is drawn."""
        generated = self.network(batch["mels"], batch["face"])
        values = self._losses(batch, generated)
        # A fixed mixture, so that epochs before and after the switch can be compared.
        loss = (1 - self.loss.sync_weight) * values["l1"] + self.loss.sync_weight * values.get("sync", 0.0)
        self._log("valid", {"loss": loss, **values}, len(batch["target"]))
        if index == 0 and self.trainer.is_global_zero:
            self._draw(batch, generated)

    def on_validation_epoch_end(self) -> None:
        """Switch the sync loss on when the generator is ready for it."""
        value = self.trainer.callback_metrics.get("valid/sync")
        if value is not None and self.sync_weight < self.loss.sync_weight and value < self.loss.sync_below:
            self.sync_weight.fill_(self.loss.sync_weight)
            logging.info("sync loss counts from now on (validation %.3f < %.2f)", value, self.loss.sync_below)

    def _draw(self, batch: dict, generated: torch.Tensor) -> None:
        """Save rows of input, reference, result and target, first frames of up to four samples."""
        rows = [batch["face"][:4, :3, 0], batch["face"][:4, 3:, 0], generated[:4, :, 0], batch["target"][:4, :, 0]]
        picture = torch.cat([torch.cat(list(row.float().cpu()), dim=2) for row in rows], dim=1)
        pixels = (picture.clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
        with atomic_path(self.images_dir / f"{self.current_epoch + 1}epoch.png") as temporary:
            cv2.imwrite(str(temporary), pixels)
        self.logger.experiment.add_image(
            "masked, reference, generated, target",
            np.ascontiguousarray(pixels[..., ::-1]),
            self.current_epoch,
            dataformats="HWC",
        )


def _loaders(dataset_class, train_dir, valid_dir, img_size: int, data: DataOptions, trainer: TrainerOptions, **more):
    """Make the two loaders; validation always sees the same samples."""
    train = dataset_class(load_face_clips(train_dir, MIN_CLIP_FRAMES), img_size, trainer.seed, augment=True, **more)
    valid = dataset_class(load_face_clips(valid_dir, MIN_CLIP_FRAMES), img_size, trainer.seed + 1)
    per_epoch = data.batch_size * trainer.num_iters_per_epoch * trainer.accum_grad
    common = {
        "batch_size": data.batch_size,
        "num_workers": data.num_workers,
        "pin_memory": trainer.ngpu > 0,
        "persistent_workers": data.num_workers > 0,  # they remember where the pictures lie
    }
    train_loader = DataLoader(train, sampler=EpochSampler(per_epoch), drop_last=True, **common)
    num_valid = data.batch_size * trainer.num_valid_iters
    valid_loader = DataLoader(valid, sampler=EpochSampler(num_valid, repeats=True), **common)
    return train_loader, valid_loader


def train_syncnet(
    train_dir: str,
    valid_dir: str,
    exp_dir: str,
    model: NetworkOptions = NetworkOptions(),
    data: DataOptions = DataOptions(batch_size=64),
    optim: OptimOptions = OptimOptions(),
    trainer: TrainerOptions = TrainerOptions(),
) -> None:
    """Train the sync expert.

    Args:
        train_dir: Face dump for training, e.g. dump/face/tr_no_dev.
        valid_dir: Face dump for validation, e.g. dump/face/dev.
        exp_dir: Experiment folder; training resumes if it was interrupted.
        model: Size of the network.
        data: How samples are read.
        optim: The optimiser.
        trainer: Length, precision, devices.
    """
    lightning.seed_everything(trainer.seed, verbose=False)
    rank_zero_only(save_config)(
        exp_dir,
        {"task": "syncnet", "version": __version__, **resolved(model=model, data=data, optim=optim, trainer=trainer)},
    )
    module = SyncNetTraining(SyncNet(model.img_size, model.width), optim)
    loaders = _loaders(SyncNetDataset, train_dir, valid_dir, model.img_size, data, trainer)
    fit(module, *loaders, exp_dir, trainer, module.save_weights)


def train_wav2lip(
    train_dir: str,
    valid_dir: str,
    exp_dir: str,
    syncnet_exp: str | None = None,
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
        syncnet_exp: Folder of the trained expert; without it only L1 is used.
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
    lightning.seed_everything(trainer.seed, verbose=False)
    expert = load_network(syncnet_exp) if syncnet_exp else None
    if expert is not None and expert.img_size != model.img_size:
        raise ValueError(f"{syncnet_exp} was trained for {expert.img_size} pixels, the generator for {model.img_size}")
    rank_zero_only(save_config)(
        exp_dir,
        {
            "task": "wav2lip",
            "version": __version__,
            "syncnet_exp": syncnet_exp,
            **resolved(model=model, data=data, optim=optim, loss=loss, trainer=trainer),
        },
    )
    module = Wav2LipTraining(Wav2Lip(model.img_size, model.width), optim, expert, loss, Path(exp_dir) / "images")
    windows = {"num_frames": data.num_frames, "upper_jitter": data.upper_jitter}
    loaders = _loaders(Wav2LipDataset, train_dir, valid_dir, model.img_size, data, trainer, **windows)
    fit(module, *loaders, exp_dir, trainer, module.save_weights)
