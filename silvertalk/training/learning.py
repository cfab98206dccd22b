"""What the trainings of all models share: optimiser, logged values, samples that go on after a kill, loaders."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from silvertalk.training.fit import TrainerOptions


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
    """Part of a ``TrainedModule`` with several optimisers, which steps them itself."""

    accum_grad: int  # batches summed before a step
    grad_clip: float  # limit of the gradients' norm; 0: none

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


def least_squares(opinion: torch.Tensor, label: float) -> torch.Tensor:
    """LSGAN's loss (Mao et al. 2017): mean squared distance of a discriminator's answers from a label.

    Args:
        opinion: Any shape.
        label: 1 for real ones, and for made ones that are to be taken for real; 0 for made ones.
    """
    return (opinion - label).square().mean()


class EpochSampler(Sampler):
    """Indices that continue from epoch to epoch instead of starting again.

    Of several processes each takes its share, so that their batches together
    are what one process would take with a batch as large as theirs together.

    Args:
        samples_per_epoch: Length of an epoch, of this process.
        repeats: Every epoch has the indices of the first, as validation needs.
    """

    def __init__(self, samples_per_epoch: int, repeats: bool = False):
        self.samples_per_epoch, self.repeats = samples_per_epoch, repeats
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch, of validation too."""
        self.epoch = 0 if self.repeats else epoch

    def __len__(self) -> int:
        return self.samples_per_epoch

    def __iter__(self) -> Iterator[int]:
        rank, processes = 0, 1
        if torch.distributed.is_initialized():
            rank, processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
        first = self.epoch * self.samples_per_epoch
        return iter(range(first * processes + rank, (first + self.samples_per_epoch) * processes, processes))


def make_loaders(
    train: Dataset,
    valid: Dataset,
    batch_size: int,
    num_workers: int,
    trainer: TrainerOptions,
    collate_fn: Callable | None = None,
    num_valid: int | None = None,
) -> tuple[DataLoader, DataLoader]:
    """Make the two loaders; validation always sees the same samples.

    Args:
        train: Samples that are a pure function of any index from 0 on.
        valid: Likewise.
        batch_size: Samples of a batch, of each process.
        num_workers: Loader processes.
        trainer: Length of the epochs.
        collate_fn: Makes a batch of samples; None: torch's.
        num_valid: Samples of a validation; None: as many as it may take.
    """
    per_epoch = batch_size * trainer.num_iters_per_epoch * trainer.accum_grad
    common: dict[str, Any] = {
        "batch_size": batch_size,
        "num_workers": num_workers,
        "collate_fn": collate_fn,
        "pin_memory": trainer.ngpu > 0,
        "persistent_workers": num_workers > 0,  # they remember where things lie
    }
    train_loader = DataLoader(train, sampler=EpochSampler(per_epoch), drop_last=True, **common)
    if num_valid is None:
        num_valid = batch_size * trainer.num_valid_iters
    return train_loader, DataLoader(valid, sampler=EpochSampler(num_valid, repeats=True), **common)
