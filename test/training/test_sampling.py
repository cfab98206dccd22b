"""Which clips a training sees, and in which order."""

from dataclasses import dataclass

import pytest

from silvertalk.training.sampling import ClipDataset, EpochSampler


@dataclass
class Clip:
    spk: str


def test_sampler_goes_on_from_epoch_to_epoch():
    sampler = EpochSampler(4)
    sampler.set_epoch(2)
    assert list(sampler) == [8, 9, 10, 11]


@pytest.mark.parametrize("balance, share", [(0.0, 1 / 17), (0.5, 1 / 5), (1.0, 1 / 2)])
def test_speakers_are_balanced(balance, share):
    dataset = ClipDataset([*(Clip("a") for _ in range(16)), Clip("b")], seed=0, speaker_balance=balance)
    drawn = [dataset._draw(index)[1].spk for index in range(2000)]
    assert drawn.count("b") / 2000 == pytest.approx(share, abs=0.03)
