"""The halves of JETS in training, for Lightning: what they are given, and their losses."""

from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional

from silvertalk.training.learning import ManualSteps, OptimOptions, TrainedModule, least_squares

WINDOWS = (512, 1024, 2048)  # samples; the longest tells the harmonics of any voice apart
MARGIN = 4  # frames on each side of a vocoder's segment that only the spectrogram's windows see
CUT = 96  # frames that the discriminator of spectrograms sees at a time


@dataclass
class LossOptions:
    """What the text side is judged by."""

    mel_weight: float = 5.0  # of the distance of the normalised spectrograms
    variance_weight: float = 1.0  # of durations, pitch and energy
    align_weight: float = 2.0  # of the alignment; 5 where it does not learn
    adversarial_weight: float = 0.0  # of a discriminator, without which spectrograms are blurred; 0: none
    matching_weight: float = 4.0  # of the distance of what the discriminator sees in drawn and recorded ones
    adversarial_from: int = 0  # epochs until the discriminator counts


class MelTraining(TrainedModule):
    """The text side of JETS draws spectrograms.

    Args:
        model: ESPnet's GAN-TTS model of a JETS; its vocoder is not used.
        optim: The optimiser.
        loss: Weights of the losses.
    """

    def __init__(self, model: torch.nn.Module, optim: OptimOptions, loss: LossOptions):
        jets = model.tts.generator
        width = jets.generator.input_conv.in_channels
        network = torch.nn.ModuleDict({"jets": jets, "to_mel": torch.nn.Conv1d(width, jets.odim, 1)})
        jets.generator = torch.nn.Identity()
        jets.alignment_module.forward = partial(align, jets.alignment_module)
        super().__init__(network, optim)
        self.features, self.loss = _Features(model), loss
        self.var_loss, self.align_loss = model.tts.var_loss, model.tts.forwardsum_loss
        jets.decoder.register_forward_hook(self._keep)

    def _keep(self, decoder, given, result) -> None:
        """Keep the frames of the whole utterance; JETS itself passes on a short cut."""
        self._frames = result[0]

    def _losses(self, batch: dict[str, torch.Tensor]) -> tuple[dict, torch.Tensor, dict]:
        """Losses by name, drawn spectrograms (B, frames, mels), and what JETS was given."""
        given = self.features(batch)
        outputs = self.network["jets"](**given)
        _, bin_loss, log_p_attn, _, d_outs, ds, p_outs, ps, e_outs, es = outputs
        drawn = self.network["to_mel"](self._frames.transpose(1, 2)).transpose(1, 2)
        lengths = given["feats_lengths"]
        inside = torch.arange(drawn.shape[1], device=drawn.device)[None] < lengths[:, None]
        distance = (drawn - given["feats"]).abs().mean(-1)[inside].mean()
        duration, pitch, energy = self.var_loss(d_outs, ds, p_outs, ps, e_outs, es, given["text_lengths"])
        align = self.align_loss(log_p_attn, given["text_lengths"], lengths)
        values = {"mel": distance, "duration": duration, "pitch": pitch, "energy": energy, "align": align}
        loss = (
            self.loss.mel_weight * distance
            + self.loss.variance_weight * (duration + pitch + energy)
            + self.loss.align_weight * (align + bin_loss)
        )
        return {"loss": loss, **values, "bin": bin_loss}, drawn, given

    def training_step(self, batch, index):
        """One batch of utterances."""
        values, drawn, _ = self._losses(batch)
        self._log("train", values, len(drawn))
        return values["loss"]

    def validation_step(self, batch, index):
        """One batch of utterances."""
        values, drawn, _ = self._losses(batch)
        self._log("valid", values, len(drawn))


class MelGanTraining(ManualSteps, MelTraining):
    """The same against a discriminator, which learns after each step from cuts of the same spectrograms.

    A distance alone is least for the mean of all ways to say a text: a blur that vocoders make mumbling of (Yang et
    al., 2021, GANSpeech).

    Args:
        grad_clip: Limit of the gradients' norm; 0: none.
        **others: As for ``MelTraining``.
    """

    accum_grad = 1

    def __init__(self, *args, grad_clip: float, **others):
        super().__init__(*args, **others)
        self.automatic_optimization = False  # two optimisers
        self.discriminator, self.grad_clip = SpectrogramDiscriminator(), grad_clip

    def configure_optimizers(self):
        """One Adam for each network."""
        return self._adams([self.network, self.discriminator])

    def training_step(self, batch, index):
        """One batch of utterances for both networks."""
        generator, discriminator = self.optimizers()
        counts = self.current_epoch >= self.loss.adversarial_from
        self.toggle_optimizer(generator)
        values, drawn, given = self._losses(batch)
        loss = values["loss"]
        if counts:
            drawn, recorded = cuts([drawn, given["feats"]], given["feats_lengths"])
            values |= deceiving_losses(self.discriminator, drawn, recorded)
            loss = loss + self.loss.adversarial_weight * values["adversarial"]
            loss = loss + self.loss.matching_weight * values["matching"]
        self._descend(generator, loss, index)
        self.untoggle_optimizer(generator)
        if counts:
            self.toggle_optimizer(discriminator)
            values |= judging_losses(self.discriminator, drawn.detach(), recorded)
            self._descend(discriminator, values["disc_real"] + values["disc_fake"], index)
            self.untoggle_optimizer(discriminator)
        self._log("train", values | {"loss": loss}, len(batch["text"]))
        return {"loss": loss.detach()}


class SpectrogramDiscriminator(torch.nn.Module):
    """Tells drawn patches of spectrograms from recorded ones (least squares: 1 is recorded, 0 drawn)."""

    CHANNELS = (48, 96, 96, 96)
    STRIDES = ((2, 1), (2, 2), (2, 2), (2, 1))  # mel bands, frames

    def __init__(self):
        super().__init__()
        channels = zip((1, *self.CHANNELS), self.CHANNELS, self.STRIDES, strict=False)
        layers = [torch.nn.Conv2d(before, after, 3, stride, padding=1) for before, after, stride in channels]
        layers.append(torch.nn.Conv2d(self.CHANNELS[-1], 1, 3, padding=1))
        self.layers = torch.nn.ModuleList(torch.nn.utils.parametrizations.weight_norm(layer) for layer in layers)

    def forward(self, spectrogram: torch.Tensor) -> list[torch.Tensor]:
        """Spectrogram (B, frames, mels) -> what each layer sees, and last the opinions."""
        seen = [spectrogram.transpose(1, 2).unsqueeze(1)]
        for layer in self.layers[:-1]:
            seen.append(functional.leaky_relu(layer(seen[-1]), 0.2))
        return [*(found.float() for found in seen[1:]), self.layers[-1](seen[-1]).float()]


def deceiving_losses(judge: torch.nn.Module, drawn: torch.Tensor, recorded: torch.Tensor) -> dict[str, torch.Tensor]:
    """What the text side learns from a discriminator.

    Args:
        judge: A ``SpectrogramDiscriminator``.
        drawn: Spectrograms (B, frames, mels).
        recorded: The same, of recordings.

    Returns:
        adversarial (least squares; 0 where drawn ones are taken for recorded) and matching (distance of what the layers
        see).
    """
    with torch.no_grad():
        wanted = judge(recorded)
    found = judge(drawn)
    distances = [(made - real).abs().mean() for made, real in zip(found[:-1], wanted[:-1], strict=True)]
    return {"adversarial": least_squares(found[-1], 1.0), "matching": torch.stack(distances).sum()}


def judging_losses(judge: torch.nn.Module, drawn: torch.Tensor, recorded: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a discriminator learns from: least squares, 1 for recorded and 0 for drawn.

    Args:
        judge: A ``SpectrogramDiscriminator``.
        drawn: Spectrograms (B, frames, mels).
        recorded: The same, of recordings.
    """
    opinions = judge(recorded)[-1], judge(drawn)[-1]
    return {"disc_real": least_squares(opinions[0], 1.0), "disc_fake": least_squares(opinions[1], 0.0)}


def cuts(spectrograms: list[torch.Tensor], lengths: torch.Tensor) -> list[torch.Tensor]:
    """Cut random pieces, two of each utterance, at the same places of all spectrograms.

    Args:
        spectrograms: Each (B, frames, mels).
        lengths: Frames of each utterance (B,).

    Returns:
        Each (2 B, CUT, mels), or shorter where an utterance is.
    """
    size = min(CUT, int(lengths.min()))
    starts = [(row, int(torch.randint(int(n) - size + 1, ()))) for row, n in enumerate(lengths.tolist() * 2)]
    rows = len(lengths)
    return [torch.stack([each[row % rows, start : start + size] for row, start in starts]) for each in spectrograms]


def align(
    module: torch.nn.Module,
    text: torch.Tensor,
    feats: torch.Tensor,
    text_lengths: torch.Tensor,
    feats_lengths: torch.Tensor,
    x_masks: torch.Tensor | None = None,
) -> torch.Tensor:
    """Give what JETS's alignment module gives, with distances from a matrix product.

    ESPnet subtracts every token from every frame first, which for whole utterances is most of a step on a processor.

    Args:
        module: ESPnet's alignment module.
        text: (B, N, width).
        feats: (B, T, mels).
        text_lengths: (B,).
        feats_lengths: (B,).
        x_masks: (B, N), true for padding.

    Returns:
        Log probabilities (B, T, N) of the tokens, the prior included.
    """
    tokens = module.t_conv2(module.t_conv1(text.transpose(1, 2)).relu())
    frames = module.f_conv2(module.f_conv1(feats.transpose(1, 2)).relu()).relu()
    frames = module.f_conv3(frames)
    distance = torch.cdist(frames.transpose(1, 2), tokens.transpose(1, 2), compute_mode="use_mm_for_euclid_dist")
    if x_masks is not None:
        distance = distance.masked_fill(x_masks.unsqueeze(1), torch.inf)
    prior = module._generate_prior(text_lengths, feats_lengths)
    return functional.log_softmax(-distance, dim=-1) + prior.to(distance)


class VocoderTraining(TrainedModule):
    """The vocoder of JETS makes sound of the spectrograms of recordings.

    Judged by the mel spectrograms of HiFi-GAN at three window lengths, and by linear spectra (``spectral_loss``): mel
    bands merge the harmonics of a voice, and without them the vocoder hums at the rate of its frames.

    Args:
        model: ESPnet's GAN-TTS model of a JETS; of its generator only the vocoder is used.
        optim: The optimiser.
        mel_loss: Settings of the spectrogram of the middle window.
    """

    def __init__(self, model: torch.nn.Module, optim: OptimOptions, mel_loss: dict):
        from espnet2.gan_tts.hifigan.loss import MelSpectrogramLoss

        super().__init__(_with_inputs(model.tts.generator.generator, model.tts.generator.odim), optim)
        self.features = _Features(model)
        self.losses = torch.nn.ModuleList(
            MelSpectrogramLoss(**_other_window(mel_loss, factor)) for factor in (0.5, 1, 2)
        )

    def _step(self, batch: dict[str, torch.Tensor], stage: str) -> torch.Tensor:
        sound = batch["speech"]
        feats, _ = self.features.mel(sound, torch.full((len(sound),), sound.shape[1], device=sound.device))
        hop = sound.shape[1] // (feats.shape[1] - 1)
        wanted = sound[:, MARGIN * hop : -MARGIN * hop]
        made = self.network(feats[:, MARGIN : MARGIN + wanted.shape[1] // hop].transpose(1, 2)).float()
        with _full_precision(sound):
            mel = torch.stack([judge(made, wanted.unsqueeze(1)) for judge in self.losses]).mean()
            spectrum = spectral_loss(made.squeeze(1), wanted)
        loss = mel + spectrum
        self._log(stage, {"loss": loss, "mel": mel, "spectrum": spectrum}, len(sound))
        return loss

    def training_step(self, batch, index):
        """One batch of segments."""
        return self._step(batch, "train")

    def validation_step(self, batch, index):
        """One batch of segments."""
        self._step(batch, "valid")


def spectral_loss(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Compare linear magnitude spectra at three resolutions (Yamamoto et al., 2020, eq. 4 to 7).

    Args:
        made: Sound (B, T).
        wanted: Sound (B, T).

    Returns:
        Mean over the windows of spectral convergence and distance of the logarithms.
    """
    losses = []
    for n_fft in WINDOWS:
        first, second = (_magnitudes(sound, n_fft) for sound in (made, wanted))
        convergence = (first - second).norm() / second.norm()
        losses.append(convergence + (first.log() - second.log()).abs().mean())
    return torch.stack(losses).mean()


def _magnitudes(sound: torch.Tensor, n_fft: int) -> torch.Tensor:
    window = torch.hann_window(n_fft, device=sound.device)
    return torch.stft(sound, n_fft, n_fft // 4, window=window, return_complex=True).abs().clamp_min(1e-5)


def _full_precision(sound: torch.Tensor) -> torch.autocast:
    """No mixed precision: the logarithm of a spectrum in bf16 would be steps of what is to be heard."""
    return torch.autocast(sound.device.type, enabled=False)


class _Features(torch.nn.Module):
    """What ESPnet's model computes from a batch before its networks: normalised mel, pitch and energy."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.extract, self.normalize = model.feats_extract, model.normalize
        self.pitch_normalize, self.energy_normalize = model.pitch_normalize, model.energy_normalize

    @torch.no_grad()
    def mel(self, sound: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Sound (B, T) -> (B, frames, mels), and their numbers."""
        with _full_precision(sound):
            return self.normalize(*self.extract(sound.float(), lengths))

    @torch.no_grad()
    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """A batch of ESPnet's reader -> arguments of its JETS generator."""
        feats, feats_lengths = self.mel(batch["speech"], batch["speech_lengths"])
        pitch, pitch_lengths = self.pitch_normalize(batch["pitch"], batch["pitch_lengths"])
        energy, energy_lengths = self.energy_normalize(batch["energy"], batch["energy_lengths"])
        speakers = {name: batch[name] for name in ("sids", "lids", "spembs") if name in batch}
        return {
            "text": batch["text"],
            "text_lengths": batch["text_lengths"],
            "feats": feats,
            "feats_lengths": feats_lengths,
            "pitch": pitch,
            "pitch_lengths": pitch_lengths,
            "energy": energy,
            "energy_lengths": energy_lengths,
            **speakers,
        }


def _other_window(mel_loss: dict, factor: float) -> dict:
    """The settings of a mel spectrogram with a window of another length."""
    n_fft = mel_loss.get("n_fft", 1024)
    lengths = {"n_fft": n_fft, "hop_length": mel_loss.get("hop_length", 256)}
    lengths["win_length"] = mel_loss.get("win_length") or n_fft
    # Short windows have fewer bins than the mel bands need.
    bands = mel_loss.get("n_mels", 80) if factor >= 1 else mel_loss.get("n_mels", 80) // 2
    return {**mel_loss, **{name: int(value * factor) for name, value in lengths.items()}, "n_mels": bands}


def _with_inputs(vocoder: torch.nn.Module, channels: int) -> torch.nn.Module:
    """Give a vocoder a new first layer that takes so many channels."""
    old = vocoder.input_conv
    made = torch.nn.Conv1d(channels, old.out_channels, old.kernel_size, padding=old.padding)
    torch.nn.init.normal_(made.weight, 0.0, 0.01)  # as ESPnet's HiFi-GAN begins
    vocoder.input_conv = torch.nn.utils.weight_norm(made) if hasattr(old, "weight_g") else made
    return vocoder
