"""Training of AutoVC: what is said, without who says it.

Qian et al., "AutoVC: Zero-Shot Voice Style Transfer with Only Autoencoder Loss" (ICML 2019), with the pitch as a
further input of the decoder (Qian et al., "F0-consistent many-to-many non-parallel voice conversion via conditional
autoencoder", ICASSP 2020), as MakeItTalk uses it.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import lightning
import numpy as np
import torch
from torch.nn import functional

from silvertalk.makeittalk.checkpoint import FAMILY
from silvertalk.makeittalk.networks import AutoVC
from silvertalk.makeittalk.pitch import F0_CLASSES
from silvertalk.makeittalk.training.autovc_data import VoiceDataset, load_speakers, load_voice_clips, prepare_features
from silvertalk.training.fit import TrainerOptions, fit
from silvertalk.training.learning import OptimOptions, TrainedModule, save_training
from silvertalk.training.sampling import LoaderOptions, make_loaders
from silvertalk.utils import atomic_path

FEATURES = "features"  # folder in the experiment folder
ROWS = "real, reconstructed, in another voice"
PICTURES = 4  # clips shown
MEAN_OF = 64  # windows that give the mean spectrum


@dataclass
class NetworkOptions:
    """Size of the network."""

    neck: int | None = None  # half the numbers of a code; a wide one lets the speaker through; null: of --init, or 16
    freq: int | None = None  # frames that share a code, 1 to 32; fewer let more through; null: of --init, or 16
    pre: int | None = None  # channels of the inner layers, a multiple of 16; null: of --init, or 512, as published


@dataclass
class DataOptions(LoaderOptions):
    """How samples are read; the same processes compute features before."""

    batch_size: int = 32  # windows of 128 frames (2 s), of each process; the paper's 2 is slow
    speaker_balance: float = 0.5


@dataclass
class LossOptions:
    """The losses of AutoVC, besides the distance behind the postnet; the paper's weights are 1."""

    mel_weight: float = 1.0  # of the squared distance in front of the postnet
    content_weight: float = 1.0  # of the distance of the codes of what was made to those it was made from

    def __post_init__(self):
        if min(self.mel_weight, self.content_weight) < 0:
            raise ValueError("the weights of the losses have to be 0 or more")


class AutoVCTraining(TrainedModule):
    """AutoVC learns to say in a voice what was said in it, through a neck too narrow for the voice.

    Args:
        network: AutoVC.
        optim: Its optimiser.
        loss: Weights of the losses.
        images_dir: Where pictures of validation go.
    """

    def __init__(self, network: AutoVC, optim: OptimOptions, loss: LossOptions, images_dir: Path):
        super().__init__(network, optim)
        self.loss, self.images_dir = loss, images_dir

    def _step(self, batch: dict[str, torch.Tensor], stage: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Pass a batch through: the loss, and what was reconstructed (B, T, 80)."""
        mel, voice = batch["mel"], batch["embedding"]
        rough, made, codes = self.network(mel, voice, one_hot(batch["f0"]), voice)
        values = {
            "reconstruction": functional.mse_loss(made, mel),
            "mel": functional.mse_loss(rough, mel),
            "content": functional.l1_loss(self.network.encode(made, voice).flatten(1), codes),
        }
        weighted = self.loss.mel_weight * values["mel"] + self.loss.content_weight * values["content"]
        loss = values["reconstruction"] + weighted
        self._log(stage, {"loss": loss, **values}, len(mel))
        return loss, made

    def training_step(self, batch, index):
        """One batch."""
        return self._step(batch, "train")[0]

    def validation_step(self, batch, index):
        """One batch; the first is drawn, in its own voices and each in the next one's."""
        _, made = self._step(batch, "valid")
        if index == 0 and self.trainer.is_global_zero:
            others = batch["embedding"].roll(1, 0)
            _, converted, _ = self.network(batch["mel"], batch["embedding"], one_hot(batch["f0"]), others)
            path = self.images_dir / f"{self.current_epoch + 1}epoch.png"
            save_mels(path, [batch["mel"], made, converted], self.logger.experiment, self.current_epoch)


def one_hot(f0: torch.Tensor) -> torch.Tensor:
    """Classes of pitch (B, T), -1 for none at all -> float32 (B, T, 257)."""
    return functional.one_hot(f0 + 1, F0_CLASSES + 1)[..., 1:].float()


def save_mels(path: Path, rows: list[torch.Tensor], board, epoch: int) -> None:
    """Draw spectrograms of up to four clips, a row of each kind, low bands below.

    Args:
        path: PNG to write.
        rows: ``ROWS``, each (B, T, 80), about in [0, 1].
        board: Writer of TensorBoard.
        epoch: Number of the epoch, from 0.
    """
    picture = torch.cat([torch.cat(list(row[:PICTURES].float().cpu()), dim=0) for row in rows], dim=1)
    # Time to the right; of every row of bands the lowest at the bottom.
    bands = torch.cat([row.flip(1) for row in picture.split(rows[0].shape[2], dim=1)], dim=1)
    grey = (bands.T.clamp(0, 1) * 255).round().byte().numpy()
    pixels = cv2.applyColorMap(cv2.resize(grey, None, fx=2, fy=2), cv2.COLORMAP_MAGMA)
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), pixels)
    board.add_image(ROWS, np.ascontiguousarray(pixels[..., ::-1]), epoch, dataformats="HWC")


def train_autovc(
    train_dirs: list[str],
    valid_dirs: list[str],
    exp_dir: str,
    init: str | None = None,
    model: NetworkOptions = NetworkOptions(),
    data: DataOptions = DataOptions(),
    optim: OptimOptions = OptimOptions(),
    loss: LossOptions = LossOptions(),
    trainer: TrainerOptions = TrainerOptions(),
) -> None:
    """Train AutoVC, the voice conversion.

    Args:
        train_dirs: Kaldi folders with sound for training, e.g. dump/face/tr_no_dev; of other corpora, too.
        valid_dirs: Kaldi folders with sound for validation, e.g. dump/face/dev.
        exp_dir: Experiment folder; training resumes if it was interrupted. What is computed of the sound, 20 kB a
            second, is kept in its folder features.
        init: Checkpoint or experiment folder to fine-tune, e.g. the published ckpt_autovc.pth.
        model: Size of the network.
        data: How samples are read.
        optim: The optimiser.
        loss: The losses of the network.
        trainer: Length, precision, devices.
    """
    lightning.seed_everything(trainer.seed, verbose=False)
    network = FAMILY.start("AutoVC", init, **vars(model))
    save_training("makeittalk_autovc", exp_dir, network, init=init, data=data, optim=optim, loss=loss, trainer=trainer)
    train, valid = (
        _voices(dirs, Path(exp_dir) / FEATURES / name, data, trainer.seed + n)
        for n, (name, dirs) in enumerate({"train": train_dirs, "valid": valid_dirs}.items())
    )
    if len(train.speakers) == 1:
        logging.warning(
            "%s: there is one speaker; the network will convert no other voice well. Add sets of more speakers to"
            " train_dirs, or fine-tune with --init",
            ", ".join(train_dirs),
        )
    if init is None:
        begin_with_mean(network, train)
    module = AutoVCTraining(network, optim, loss, Path(exp_dir) / "images")
    loaders = make_loaders(train, valid, data.batch_size, data.num_workers, trainer)
    fit(module, *loaders, exp_dir, trainer)


@torch.no_grad()
def begin_with_mean(network: AutoVC, voices: VoiceDataset) -> None:
    """Let a new network begin with the mean spectrum and a postnet that changes nothing.

    Steps are as small as the learning rate: without this hundreds of them only bring the output to its place.
    """
    mels = torch.stack([voices[index]["mel"] for index in range(MEAN_OF)])
    network.decoder.linear_projection["linear_layer"].bias.copy_(mels.mean((0, 1)))
    network.postnet.convolutions[-1][-1].weight.zero_()


def _voices(data_dirs: list[str], features_dir: Path, data: DataOptions, seed: int) -> VoiceDataset:
    """Open the voices of some sets; their features are computed first."""
    prepare_features(data_dirs, features_dir, data.num_workers)
    return VoiceDataset(load_voice_clips(features_dir), load_speakers(features_dir), seed, data.speaker_balance)
