"""One optimisation step of the generator: bf16 and channels last against float32, as the published training computes.

    python bench/train_step.py                      full size, batch 16, five frames: a minute a round on two cores
    python bench/train_step.py --width 0.25 --rounds 5

The losses are the published ones (0.03 sync + 0.97 L1). Both kinds start from the same weights, see the same batch
and take turns; medians are compared.
"""

import copy
import statistics
import time

import torch

from silvertalk.syncnet.losses import sync_loss
from silvertalk.utils.cli import make_parser, run
from silvertalk.wav2lip import SyncNet, Wav2Lip
from silvertalk.wav2lip.losses import weighted_l1
from silvertalk.wav2lip.modules import mixture

SYNC_WEIGHT = 0.03


def measure(batch_size: int = 16, img_size: int = 96, width: float = 1.0, rounds: int = 3) -> None:
    """Measure both kinds of step.

    Args:
        batch_size: Windows of five frames.
        img_size: Side of the pictures (pixels).
        width: Factor on the channel counts.
        rounds: Measured steps of each kind; one more warms up.
    """
    torch.manual_seed(0)
    generator, expert = Wav2Lip(img_size, width), SyncNet(img_size, width).eval().requires_grad_(False)
    batch = {
        "mels": torch.rand(batch_size, 5, 1, 80, 16) * 8 - 4,
        "face": torch.rand(batch_size, 6, 5, img_size, img_size),
        "target": torch.rand(batch_size, 3, 5, img_size, img_size),
    }
    kinds = {
        "float32": Step(generator, expert, torch.contiguous_format, bf16=False),
        "bf16, channels last": Step(generator, expert, torch.channels_last, bf16=True),
    }
    times = {name: [] for name in kinds}
    losses = {}
    for _ in range(rounds + 1):
        for name, step in kinds.items():
            started = time.perf_counter()
            loss = step(batch)
            times[name].append(time.perf_counter() - started)
            losses.setdefault(name, loss)
    print(f"{torch.get_num_threads()} threads, batch {batch_size}, {img_size} pixels, width {width:g}")
    for name, values in times.items():
        spread = f"{min(values[1:]):.2f} to {max(values[1:]):.2f}"
        print(f"{name:20} {statistics.median(values[1:]):6.2f} s a step ({spread}), first loss {losses[name]:.5f}")
    slow, fast = (statistics.median(values[1:]) for values in times.values())
    first, second = losses.values()
    print(f"ratio {slow / fast:.2f}, losses differ by {abs(first - second) / first:.2%}")


class Step:
    """A copy of the generator with its optimiser."""

    def __init__(self, generator, expert, memory_format, bf16: bool):
        self.generator = copy.deepcopy(generator).to(memory_format=memory_format)
        self.expert = copy.deepcopy(expert).to(memory_format=memory_format)
        self.adam = torch.optim.Adam(self.generator.parameters(), 1e-4)
        self.bf16 = bf16

    def __call__(self, batch: dict) -> float:
        """Take a step, and return the loss before it."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            generated = self.generator(batch["mels"], batch["face"])
            values = {
                "l1": weighted_l1(generated, batch["target"], 1.0),
                "sync": sync_loss(self.expert, batch["mels"][:, 0], generated),
            }
        loss = mixture(values, {"sync": SYNC_WEIGHT})
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return float(loss.detach())


if __name__ == "__main__":
    run(make_parser(measure), measure)
