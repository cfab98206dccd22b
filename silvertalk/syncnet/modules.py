"""One optimisation step of the sync expert, as Lightning wants it."""

from collections.abc import Callable

import torch

from silvertalk.syncnet.dataset import to_float
from silvertalk.syncnet.guard import expert_advice
from silvertalk.syncnet.losses import cosine_bce
from silvertalk.training.learning import OptimOptions, TrainedModule


class PictureTraining(TrainedModule):
    """A network that looks at pictures, which come as bytes; ``to_float`` makes what it takes."""

    to_float: Callable

    def __init__(self, network: torch.nn.Module, optim: OptimOptions):
        # Channels last is what oneDNN and tensor cores want.
        super().__init__(network.to(memory_format=torch.channels_last), optim)

    def on_after_batch_transfer(self, batch: dict[str, torch.Tensor], dataloader_idx: int) -> dict[str, torch.Tensor]:
        """Scale the pictures on the device."""
        return self.to_float(batch)


class SyncNetTraining(PictureTraining):
    """The expert learns to tell matching from shifted pairs."""

    to_float = staticmethod(to_float)

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

    def _advice(self) -> str | None:
        return expert_advice(self.current_epoch + 1, self._metric("train/loss"), self._metric("valid/loss"))
