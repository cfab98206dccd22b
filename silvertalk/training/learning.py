"""What the trainings of all models share: optimiser, logged values, weights and configuration."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities import rank_zero_only

from silvertalk import __version__
from silvertalk.training.checkpoint import save_checkpoint
from silvertalk.training.experiment import resolved, save_config
from silvertalk.training.network import Network

PATIENCE = 4  # epochs before a word is said of a training that learns nothing


@dataclass
class OptimOptions:
    """The optimiser (Adam)."""

    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    final_lr: float | None = None  # reached along a cosine at the end of the training; null: constant, as published


class TrainedModule(lightning.LightningModule):
    """A network with its optimiser.

    Args:
        network: What is trained and saved.
        optim: Its optimiser.
    """

    def __init__(self, network: torch.nn.Module, optim: OptimOptions):
        super().__init__()
        self.network, self.optim = network, optim

    def configure_optimizers(self):
        """Adam, with a falling learning rate where one is asked for."""
        return self._adam(self.network, self.trainer.estimated_stepping_batches)

    def save_weights(self, path: Path, step: int, epoch: int) -> None:
        """Write the network."""
        save_checkpoint(path, self.network, step, epoch)

    def on_train_epoch_end(self) -> None:
        """Say in plain words when nothing is being learnt."""
        advice = self._advice()
        if advice and self.trainer.is_global_zero:
            logging.warning(advice)

    def _advice(self) -> str | None:
        """What to look at when nothing is being learnt; None: all is well."""
        return None

    def _adam(self, network: torch.nn.Module, steps: int):
        """Adam for one network, and its schedule."""
        lr, final = self.optim.lr, self.optim.final_lr
        beta1, beta2 = self.optim.betas
        adam = torch.optim.Adam(network.parameters(), lr, (beta1, beta2), weight_decay=self.optim.weight_decay)
        if final is None:
            return adam
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps, eta_min=final)
        return {"optimizer": adam, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

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

    def _metric(self, name: str) -> float | None:
        """A value that was logged, if it was."""
        value = self.trainer.callback_metrics.get(name)
        return None if value is None else float(value)


class ManualSteps(TrainedModule):
    """Part of a ``TrainedModule`` with two optimisers, which steps them itself.

    Args:
        accum_grad: Batches summed before a step.
        grad_clip: Limit of the gradients' norm; 0: none.
    """

    def __init__(self, *args, accum_grad: int = 1, grad_clip: float = 0.0, **others):
        super().__init__(*args, **others)
        self.automatic_optimization = False
        self.accum_grad, self.grad_clip = accum_grad, grad_clip

    def save_weights(self, path: Path, step: int, epoch: int) -> None:
        """Write the network; Lightning counts the steps of both optimisers."""
        super().save_weights(path, step // 2, epoch)

    def _adams(self, networks: list[torch.nn.Module]) -> list[dict]:
        """One Adam for each network."""
        steps = max(1, int(self.trainer.estimated_stepping_batches) // self.accum_grad)
        made = [self._adam(network, steps) for network in networks]
        return [entry if isinstance(entry, dict) else {"optimizer": entry} for entry in made]

    def _descend(self, optimizer, loss: torch.Tensor, index: int) -> None:
        """Add a batch's gradient; with the last batch of a step, take it."""
        self.manual_backward(loss / self.accum_grad)
        if (index + 1) % self.accum_grad:
            return
        if self.grad_clip:
            self.clip_gradients(optimizer, self.grad_clip, "norm")
        optimizer.step()
        optimizer.zero_grad()
        schedules: Any = self.lr_schedulers() or []  # several optimisers, hence a list
        for schedule in schedules:
            if schedule.optimizer is optimizer.optimizer:
                schedule.step()


def least_squares(scores: torch.Tensor, label: float) -> torch.Tensor:
    """LSGAN's loss (Mao et al. 2017): mean squared distance of a discriminator's scores from a label.

    Args:
        scores: Any shape.
        label: 1 for real ones, and for made ones that are to be taken for real; 0 for made ones.
    """
    return (scores - label).square().mean()


@rank_zero_only
def save_training(task: str, exp_dir: str, network: Network, **sections) -> None:
    """Write what was asked of a training beside its weights, the size of the network as it came to be."""
    model = dict(network.options)
    save_config(exp_dir, {"task": task, "version": __version__, "model": model, **resolved(**sections)})
