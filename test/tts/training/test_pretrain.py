"""The halves of JETS, and their joint."""

import numpy as np
import pytest
import torch

from silvertalk.tts.training.modules import (
    SpectrogramDiscriminator,
    _other_window,
    _with_inputs,
    align,
    cuts,
    deceiving_losses,
    judging_losses,
    spectral_loss,
)
from silvertalk.tts.training.pretrain import _first_layer, _Utterances


@pytest.fixture(params=[True, False], ids=["weight norm", "plain"])
def vocoder(request):
    from espnet2.gan_tts.hifigan import HiFiGANGenerator

    torch.manual_seed(0)
    return HiFiGANGenerator(
        in_channels=6,
        channels=8,
        upsample_scales=[4],
        upsample_kernel_sizes=[8],
        resblock_kernel_sizes=[3],
        resblock_dilations=[[1]],
        use_weight_norm=request.param,
    )


def test_joined_layer_is_both(vocoder):
    _with_inputs(vocoder, 5)
    for parameter in vocoder.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    to_mel = torch.nn.Conv1d(6, 5, 1)
    hidden = torch.randn(2, 6, 40)
    wanted = vocoder(to_mel(hidden))
    states = vocoder.state_dict()
    joined = _first_layer(to_mel.weight.detach(), to_mel.bias.detach(), states)
    assert set(joined) == {key for key in states if key.startswith("input_conv.")}
    _with_inputs(vocoder, 6)
    vocoder.load_state_dict(states | joined)
    made = vocoder(hidden)
    inner = slice(24, -24)  # out of reach of the first layer's padding
    error, change = ((made - other)[..., inner].abs().max().item() for other in (wanted, vocoder(hidden.roll(1, 2))))
    assert error < 1e-4 and change > 1000 * error


def test_every_pass_has_every_utterance_once_in_another_order():
    read = _Utterances(list("abcdef"), lambda utt_id, rng: (utt_id, rng.integers(1000)), seed=1)
    first, second = ([read[index] for index in range(start, start + 6)] for start in (0, 6))
    names = [[name for name, _ in samples] for samples in (first, second)]
    assert sorted(names[0]) == sorted(names[1]) == list("abcdef") and names[0] != names[1]
    assert [read[index] for index in range(6)] == first  # whenever it is asked for
    assert len({cut for _, cut in first}) > 1


@pytest.mark.parametrize("factor, wanted", [(0.5, (512, 64, 256, 40)), (2, (2048, 256, 1024, 80))])
def test_windows_of_the_vocoders_loss(factor, wanted):
    made = _other_window({"fs": 16000, "n_fft": 1024, "hop_length": 128, "win_length": 512, "n_mels": 80}, factor)
    assert (made["n_fft"], made["hop_length"], made["win_length"], made["n_mels"]) == wanted
    assert made["fs"] == 16000
    assert np.isfinite(list(made.values())).all()


def test_alignment_is_espnets():
    from espnet2.gan_tts.jets.alignments import AlignmentModule

    torch.manual_seed(0)
    module = AlignmentModule(8, 5)
    text, feats = torch.randn(2, 7, 8), torch.randn(2, 30, 5)
    lengths = torch.tensor([7, 4]), torch.tensor([30, 21])
    padding = torch.arange(7)[None] >= lengths[0][:, None]
    wanted, made = (find(text, feats, *lengths, padding) for find in (module, lambda *given: align(module, *given)))
    inside = wanted > -torch.inf
    assert torch.equal(inside, made > -torch.inf) and inside.any() and not inside.all()
    torch.testing.assert_close(made[inside], wanted[inside], atol=1e-4, rtol=1e-4)


def test_spectra_tell_harmonics_from_a_hum():
    time = torch.arange(8192) / 16000
    voice, near, hum = (
        sum(torch.sin(2 * torch.pi * f0 * k * time) for k in range(1, 20))[None] for f0 in (155.0, 156.0, 62.5)
    )
    assert spectral_loss(voice, voice) == 0
    assert spectral_loss(near, voice) < 0.5 * spectral_loss(hum, voice)


def test_cuts_are_of_the_same_places_inside_each_utterance():
    lengths = torch.tensor([200, 120, 130])
    places = torch.arange(3)[:, None] * 1000 + torch.arange(220)[None]
    first, second = cuts([places[..., None], -places[..., None]], lengths)
    assert first.shape == (6, 96, 1) and torch.equal(first, -second)
    inside = first.squeeze(-1) % 1000
    assert torch.equal(first[:, 0, 0] // 1000, torch.tensor([0, 1, 2, 0, 1, 2]))
    assert (inside[:, -1] < lengths.repeat(2)).all() and (inside.diff(dim=1) == 1).all()
    assert len({int(cuts([places[..., None]], lengths)[0][0, 0]) for _ in range(20)}) > 5
    assert cuts([places[..., None]], torch.tensor([200, 50, 60]))[0].shape == (6, 50, 1)


def test_text_side_and_discriminator_want_the_opposite():
    recorded, drawn = torch.ones(2, 4, 3), torch.zeros(2, 4, 3)

    def judge(spectrogram):  # one that is always right
        return [2 * spectrogram, spectrogram, spectrogram.mean(-1)]

    assert judging_losses(judge, drawn, recorded) == {"disc_real": 0, "disc_fake": 0}
    assert judging_losses(judge, recorded, drawn) == {"disc_real": 1, "disc_fake": 1}
    assert deceiving_losses(judge, drawn, recorded) == {"adversarial": 1, "matching": 3}
    assert deceiving_losses(judge, recorded, recorded) == {"adversarial": 0, "matching": 0}


def test_a_blur_is_sharpened_against_the_discriminator():
    torch.manual_seed(0)
    judge, recorded = SpectrogramDiscriminator(), torch.randn(4, 48, 80)
    drawn = torch.nn.Parameter(torch.nn.functional.avg_pool1d(recorded, 5, 1, 2))
    adams = [torch.optim.Adam(judge.parameters(), 1e-3), torch.optim.Adam([drawn], 2e-2)]
    before = drawn.std().item()
    for _ in range(30):
        for adam, loss in zip(adams, (judging_losses(judge, drawn.detach(), recorded), None), strict=True):
            loss = sum((loss or deceiving_losses(judge, drawn, recorded)).values())
            adam.zero_grad()
            loss.backward()
            adam.step()
    assert before < 0.5 and drawn.std() > 1.3 * before


def test_discriminator_of_spectrograms_learns_what_a_blur_is():
    torch.manual_seed(0)
    judge = SpectrogramDiscriminator()
    adam = torch.optim.Adam(judge.parameters(), 1e-3)
    for _ in range(30):
        recorded = torch.randn(4, 48, 80)
        blurred = torch.nn.functional.avg_pool1d(recorded, 5, 1, 2)
        loss = sum(judging_losses(judge, blurred, recorded).values())
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert judge(recorded)[-1].mean() > 0.6 > 0.4 > judge(blurred)[-1].mean()
