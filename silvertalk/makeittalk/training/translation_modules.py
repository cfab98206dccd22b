"""One optimisation step of the image translation, as Lightning wants it."""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from silvertalk.makeittalk.training.losses import PerceptualLoss, gradient_loss
from silvertalk.makeittalk.training.samples import save_collage
from silvertalk.training.learning import PATIENCE, OptimOptions, TrainedModule

PERCEPTUAL = ("auto", "vgg", "gradient")


@dataclass
class TranslationLossOptions:
    """The losses of the image translation, besides the L1 distance."""

    part_weight: float = 1.0  # of a pixel around mouth and eyes against any other, in the L1 and the gradient loss
    square_weight: float = 0.0  # of the squared distance: large errors (teeth) against small shifts; not published
    perceptual: str = "auto"  # vgg (published), gradient (edges of the pictures), auto: vgg if its weights are there
    perceptual_weight: float = 1.0  # of VGG19's features
    style_weight: float = 3.0e7  # of their Gram matrices
    gradient_weight: float = 1.0  # of the edges, where they stand for VGG19

    def __post_init__(self):
        if self.perceptual not in PERCEPTUAL:
            raise ValueError(f"loss.perceptual '{self.perceptual}' is none of {', '.join(PERCEPTUAL)}")
        weights = (self.square_weight, self.perceptual_weight, self.style_weight, self.gradient_weight)
        if min(weights) < 0 or self.part_weight <= 0:
            raise ValueError("the weights of the losses have to be 0 or more, loss.part_weight above 0")


def find_perceptual(loss: TranslationLossOptions) -> PerceptualLoss | None:
    """Load VGG19 where it is wanted; None: the gradient loss stands for it.

    Raises:
        FileNotFoundError: It is asked for by name, and torch has no weights of it.
    """
    if loss.perceptual == "gradient":
        return None
    try:
        return PerceptualLoss()
    except FileNotFoundError as error:
        if loss.perceptual == "vgg":
            raise
        logging.info("L1 and gradient loss, no perceptual and no style loss (%s)", error)
        return None


class TranslationTraining(TrainedModule):
    """The image translation learns to draw a person by landmarks.

    Args:
        network: The network.
        optim: Its optimiser.
        loss: The losses and their weights.
        images_dir: Where pictures of validation go.
    """

    def __init__(self, network: torch.nn.Module, optim: OptimOptions, loss: TranslationLossOptions, images_dir: Path):
        # Channels last is what oneDNN and tensor cores want.
        super().__init__(network.to(memory_format=torch.channels_last), optim)
        # In a list, so that the frozen features are neither trained nor saved with the network.
        self._perceptual = [perceptual] if (perceptual := find_perceptual(loss)) else []
        self.loss, self.images_dir = loss, images_dir

    def on_fit_start(self) -> None:
        """Bring VGG19 to the network's device."""
        for perceptual in self._perceptual:
            perceptual.to(self.device)

    def on_after_batch_transfer(self, batch: dict[str, torch.Tensor], dataloader_idx: int) -> dict[str, torch.Tensor]:
        """Scale the pictures on the device, and join those that the network is given."""
        drawing, reference, target = (
            batch[name].permute(0, 3, 1, 2).float() / 255 for name in ("drawing", "reference", "target")
        )
        weight = part_weights(batch["parts"], target.shape[-1], self.loss.part_weight)
        return {**batch, "input": torch.cat([drawing, reference], 1), "target": target, "weight": weight}

    def _losses(self, generated: torch.Tensor, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """``loss`` and its parts."""
        target, weight = batch["target"], batch["weight"]
        error = generated - target
        values = {"l1": (error.abs() * weight).mean() / weight.mean()}
        if self._perceptual:
            values["perceptual"], values["style"] = self._perceptual[0](generated, target)
            more = self.loss.perceptual_weight * values["perceptual"] + self.loss.style_weight * values["style"]
        else:
            values["gradient"] = gradient_loss(generated, target, weight)
            more = self.loss.gradient_weight * values["gradient"]
        if self.loss.square_weight:
            values["square"] = (error.square() * weight).mean() / weight.mean()
            more = more + self.loss.square_weight * values["square"]
        return {"loss": values["l1"] + more, **values}

    def training_step(self, batch, index):
        """One batch."""
        values = self._losses(self.network.picture(batch["input"]), batch)
        self._log("train", values, len(batch["target"]))
        return values["loss"]

    def validation_step(self, batch, index):
        """One batch; the first is drawn. Mouth and eyes have to be nearer than those of the reference are."""
        generated = self.network.picture(batch["input"])
        values = self._losses(generated, batch)
        inside = part_weights(batch["parts"], generated.shape[-1], 2.0) - 1  # 1 around mouth and eyes, 0 elsewhere
        for name, picture in (("parts_rms", generated.clamp(0, 1)), ("parts_rms_reference", batch["input"][:, 3:])):
            values[name] = ((picture - batch["target"]).square() * inside).sum().div(3 * inside.sum()).sqrt()
        self._log("valid", values, len(generated))
        if index == 0 and self.trainer.is_global_zero:
            name = self.images_dir / f"{self.current_epoch + 1}epoch.png"
            shown = {**batch, "target": (batch["target"] * 255).round().byte().permute(0, 2, 3, 1)}
            save_collage(name, shown, generated, self.logger.experiment, self.current_epoch)

    def _advice(self) -> str | None:
        distances = [self._metric(f"valid/{name}") for name in ("parts_rms", "parts_rms_reference")]
        return translation_advice(self.current_epoch + 1, *distances)


def part_weights(parts: torch.Tensor, size: int, weight: float) -> torch.Tensor:
    """Weights of pixels: ``weight`` within any of the boxes, 1 elsewhere.

    Args:
        parts: (B, P, 4), x1 y1 x2 y2, pixels.
        size: Side of the pictures (pixels).
        weight: Any.

    Returns:
        (B, 1, size, size)
    """
    places = torch.arange(size, device=parts.device)
    x1, y1, x2, y2 = (edge[..., None] for edge in parts.unbind(-1))
    columns, rows = (places >= x1) & (places < x2), (places >= y1) & (places < y2)
    inside = (rows[..., :, None] & columns[..., None, :]).any(1, keepdim=True)
    return torch.where(inside, weight, 1.0)


def translation_advice(epoch: int, distance: float | None, reference: float | None) -> str | None:
    """Say what to look at when the pictures do not follow the drawing.

    Args:
        epoch: How many epochs there were.
        distance: RMS distance around mouth and eyes on held-out clips; None: there is no validation.
        reference: The same of the reference picture.

    Returns:
        A sentence; None: all is well.
    """
    if distance is None or reference is None or epoch < PATIENCE or distance < reference:
        return None
    return (
        f"after {epoch} epochs mouth and eyes ({distance:.3f}) are no nearer to the real ones than those of the"
        f" reference picture ({reference:.3f}): look at images/, at the landmarks of stage 11 (does the drawing fit the"
        " face?), and train longer"
    )
