"""Which samples a training sees, and in which order, whatever was killed and resumed in between."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from silvertalk.training.fit import TrainerOptions


@dataclass
class LoaderOptions:
    """How samples are read."""

    batch_size: int = 16  # samples, of each process
    speaker_balance: float = 0.0  # 0: every clip is drawn equally often; 1: every speaker; between: between
    num_workers: int = 2  # loader processes


class ClipDataset(Dataset):
    """Random pieces of clips. A piece is a pure function of seed and index, whatever the number of loader processes.

    Args:
        clips: What to draw from; each has a speaker, ``spk``.
        seed: Samples depend on it and on their index alone.
        speaker_balance: 0: every clip is drawn equally often; 1: every speaker, which shows the few clips of a
            rare one very often; between: a speaker counts by the number of clips to the power of 1 less this.
    """

    def __init__(self, clips: Sequence, seed: int, speaker_balance: float = 0.0):
        self.clips, self.seed = clips, seed
        count = Counter(clip.spk for clip in clips)
        self._ends = np.cumsum([count[clip.spk] ** -speaker_balance for clip in clips])

    def __len__(self) -> int:
        return len(self.clips)

    def _draw_clip(self, rng: np.random.Generator):
        """Draw a clip."""
        return self.clips[np.searchsorted(self._ends, rng.random() * self._ends[-1], side="right")]

    def _draw(self, index: int) -> tuple:
        """Draw a clip, and give what else is to be drawn with."""
        rng = np.random.default_rng((self.seed, index))
        return rng, self._draw_clip(rng)


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
