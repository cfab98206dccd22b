"""One optimisation step of the generator, as Lightning wants it."""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from silvertalk.syncnet.losses import sync_loss
from silvertalk.syncnet.modules import PictureTraining
from silvertalk.syncnet.networks import SyncNet
from silvertalk.training.checkpoint import save_checkpoint
from silvertalk.training.learning import PATIENCE, ManualSteps, OptimOptions
from silvertalk.wav2lip.dataset import to_float
from silvertalk.wav2lip.losses import (
    PerceptualDistance,
    adversarial_loss,
    discriminator_losses,
    gradient_difference,
    weighted_l1,
)
from silvertalk.wav2lip.samples import Preview, save_collage


@dataclass
class LossOptions:
    """The losses of the generator. The weights add up to at most 1; the rest is the L1 distance's."""

    mouth_weight: float = 1.0  # of a mouth pixel against any other in the L1 distance
    sync_weight: float = 0.03  # of the sync loss once it is switched on; 0: never
    sync_below: float = 0.75  # switched on when the validation sync loss falls below this
    gradient_weight: float = 0.0  # of the gradients' L1 distance, for sharp edges
    lpips_weight: float = 0.0  # of the perceptual distance of the lower halves; needs the backbone's weights
    lpips_backbone: str = "vgg"  # alex, vgg or squeeze
    adversarial_weight: float = 0.0  # of the adversarial loss; 0: there is no discriminator
    adversarial_from: int = 0  # optimiser steps after which it counts; it learns from the beginning
    discriminator: str = "quality"  # quality (published, BCE), or patch (hinge)

    def __post_init__(self):
        shares = (self.sync_weight, self.gradient_weight, self.lpips_weight, self.adversarial_weight)
        if min(shares) < 0 or sum(shares) >= 1:
            raise ValueError(f"the weights of the losses, {shares}, have to be 0 or more and add up to less than 1")
        if self.discriminator not in DISCRIMINATOR_LOSSES:
            raise ValueError(f"discriminator '{self.discriminator}' is none of {', '.join(DISCRIMINATOR_LOSSES)}")


DISCRIMINATOR_LOSSES = {"quality": "bce", "patch": "hinge"}


class Wav2LipTraining(PictureTraining):
    """The generator learns the picture (L1 and what else is asked for) and, once it is near, the sync loss.

    Args:
        network: The generator.
        optim: Its optimiser.
        expert: Frozen; None: no sync loss.
        loss: The losses and their weights.
        images_dir: Where pictures of validation go.
        preview: A clip of which a video is made after each epoch.
    """

    to_float = staticmethod(to_float)

    def __init__(
        self,
        network: torch.nn.Module,
        optim: OptimOptions,
        expert: SyncNet | None,
        loss: LossOptions,
        images_dir: Path,
        preview: Preview | None = None,
    ):
        super().__init__(network, optim)
        # In a list, so that the frozen expert is neither trained nor saved with the generator.
        self._expert = [] if expert is None else [expert.eval().requires_grad_(False)]
        self._perceptual = PerceptualDistance(loss.lpips_backbone) if loss.lpips_weight else None
        self.loss, self.images_dir, self.preview = loss, images_dir, preview
        self.sync_weight = 0.0  # 0 until the generator is ready for the expert

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """The original forgets it, so that its resumed runs start without the sync loss."""
        checkpoint["sync_weight"] = self.sync_weight

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Go on with the weight of before."""
        self.sync_weight = checkpoint["sync_weight"]

    def on_fit_start(self) -> None:
        """Bring the expert to the generator's device."""
        for expert in self._expert:
            expert.to(self.device)

    def _losses(self, batch: dict, generated: torch.Tensor) -> dict[str, torch.Tensor]:
        """Every loss that has a weight, by its name."""
        values = {"l1": weighted_l1(generated, batch["target"], self.loss.mouth_weight)}
        if self._expert and (self.sync_weight > 0 or not self.training):
            values["sync"] = sync_loss(self._expert[0], batch["mels"][:, 0], generated)
        if self.loss.gradient_weight:
            values["gradient"] = gradient_difference(generated, batch["target"])
        if self._perceptual:
            values["lpips"] = self._perceptual(generated, batch["target"])
        return values

    def _weights(self, sync_weight: float) -> dict[str, float]:
        """Weights of the losses but L1, which has what they leave."""
        return {"sync": sync_weight, "gradient": self.loss.gradient_weight, "lpips": self.loss.lpips_weight}

    def training_step(self, batch, index):
        """One batch."""
        values = self._losses(batch, self.network(batch["mels"], batch["face"]))
        loss = mixture(values, self._weights(self.sync_weight))
        self._log("train", {"loss": loss, **values}, len(batch["target"]))
        return loss

    def validation_step(self, batch, index):
        """One batch; the first is drawn."""
        generated = self.network(batch["mels"], batch["face"])
        values = self._losses(batch, generated)
        # A fixed mixture, so that epochs before and after the switch can be compared.
        loss = mixture(values, self._weights(self.loss.sync_weight))
        self._log("valid", {"loss": loss, **values}, len(batch["target"]))
        if index == 0 and self.trainer.is_global_zero:
            name = self.images_dir / f"{self.current_epoch + 1}epoch"
            board, epoch = self.logger.experiment, self.current_epoch
            save_collage(name.with_suffix(".png"), batch, generated, board, epoch)
            if self.preview:
                self.preview.save(name.with_suffix(".mp4"), self.network, self.device, board, epoch)

    def on_validation_epoch_end(self) -> None:
        """Switch the sync loss on when the generator is ready for it."""
        value = self._metric("valid/sync")
        if value is None:
            return
        if self.sync_weight < self.loss.sync_weight and value < self.loss.sync_below:
            self.sync_weight = self.loss.sync_weight
            logging.info("sync loss counts from now on (validation %.3f < %.2f)", value, self.loss.sync_below)

    def _advice(self) -> str | None:
        waits = self.loss.sync_weight > 0 and self.sync_weight == 0
        return generator_advice(self.current_epoch + 1, self._metric("valid/sync"), waits)


def generator_advice(epoch: int, valid_sync: float | None, waits: bool) -> str | None:
    """Say what to look at when the generated lips do not follow the sound.

    Args:
        epoch: How many epochs there were.
        valid_sync: Sync loss of validation; None: there is no expert.
        waits: The sync loss is wanted and does not count yet.
    """
    if not waits or valid_sync is None or epoch < 2 * PATIENCE:
        return None
    return (
        f"after {epoch} epochs the sync loss ({valid_sync:.2f}) is still too high to count (loss.sync_below): see that"
        " the expert is good on held-out clips (valid/loss of stage 9 about 0.25 is), or train longer on L1"
    )


def mixture(values: dict[str, torch.Tensor], weights: dict[str, float]) -> torch.Tensor:
    """Weigh losses; the L1 distance has what the others leave of 1.

    Args:
        values: Scalars by name, ``l1`` among them.
        weights: Of those besides ``l1``; names without a value do not count.
    """
    weights = {name: weight for name, weight in weights.items() if name in values}
    return (1 - sum(weights.values())) * values["l1"] + sum(weight * values[name] for name, weight in weights.items())


class Wav2LipGanTraining(ManualSteps, Wav2LipTraining):
    """The same against a discriminator, which learns after each step of the generator from the same pictures.

    Args:
        discriminator: Takes (B, 3, T, H, W).
        **others: As for ``Wav2LipTraining`` and ``ManualSteps``.
    """

    def __init__(self, *args, discriminator: torch.nn.Module, **others):
        super().__init__(*args, **others)
        self.discriminator = discriminator.to(memory_format=torch.channels_last)
        self.kind = DISCRIMINATOR_LOSSES[self.loss.discriminator]

    def configure_optimizers(self):
        """One Adam for each network."""
        return self._adams([self.network, self.discriminator])

    def save_weights(self, path: Path, step: int, epoch: int) -> None:
        """Write the generator, and the newest discriminator, from which a fine-tuning may start."""
        super().save_weights(path, step, epoch)
        save_checkpoint(path.with_name("discriminator.pth"), self.discriminator, step // 2, epoch)

    def _losses(self, batch: dict, generated: torch.Tensor) -> dict[str, torch.Tensor]:
        values = super()._losses(batch, generated)
        if self.training:
            values["adversarial"] = adversarial_loss(self.discriminator(generated), self.kind)
        return values

    def _weights(self, sync_weight: float) -> dict[str, float]:
        counts = self.global_step // 2 >= self.loss.adversarial_from
        return super()._weights(sync_weight) | {"adversarial": self.loss.adversarial_weight if counts else 0.0}

    def training_step(self, batch, index):
        """One batch for both networks."""
        generator, discriminator = self.optimizers()
        self.toggle_optimizer(generator)
        generated = self.network(batch["mels"], batch["face"])
        values = self._losses(batch, generated)
        loss = mixture(values, self._weights(self.sync_weight))
        self._descend(generator, loss, index)
        self.untoggle_optimizer(generator)

        self.toggle_optimizer(discriminator)
        values |= self._discriminator_losses(batch, generated.detach())
        self._descend(discriminator, values["disc_real"] + values["disc_fake"], index)
        self.untoggle_optimizer(discriminator)
        self._log("train", {"loss": loss, **values}, len(batch["target"]))
        return {"loss": loss.detach()}

    def _discriminator_losses(self, batch: dict, generated: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the discriminator learns from."""
        predictions = self.discriminator(batch["target"]), self.discriminator(generated)
        return dict(zip(("disc_real", "disc_fake"), discriminator_losses(*predictions, self.kind), strict=True))
