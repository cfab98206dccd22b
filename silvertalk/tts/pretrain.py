"""A head start for JETS: text to spectrogram, and spectrogram to sound, learnt apart and then joined.

JETS learns its two halves through each other: for thousands of steps the vocoder sees frames that mean nothing yet,
and the text side hears only what the vocoder passes on. With a spectrogram between them both learn from the first
step, at a fraction of the time: the text side without any sound, the vocoder from recordings. The 1x1 convolution that
drew the spectrogram is then multiplied into the vocoder's first layer, which gives the weights of an ordinary JETS
(Lim et al., 2022) for ESPnet to train on from.
"""

import argparse
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightning
import numpy as np
import soundfile
import torch
from torch.nn import functional
from torch.utils.data import Dataset

from silvertalk import __version__
from silvertalk.tts.espnet import build_model, load_task
from silvertalk.tts.experiment import resolve_config
from silvertalk.utils import atomic_path
from silvertalk.utils.experiment import find_weights, resolved, save_config
from silvertalk.utils.learning import OptimOptions, TrainedModule, make_loaders
from silvertalk.utils.training import TrainerOptions, fit

PARTS = ("mel", "vocoder")
WINDOWS = (512, 1024, 2048)  # samples; the longest tells the harmonics of any voice apart
MARGIN = 4  # frames on each side of a vocoder's segment that only the spectrogram's windows see


@dataclass
class DataOptions:
    """How samples are read."""

    batch_size: int = 16  # utterances, or segments of them
    num_workers: int = 1  # processes that read samples
    segment_size: int = 32  # frames that the vocoder learns from at a time


@dataclass
class LossOptions:
    """What the text side is judged by."""

    mel_weight: float = 5.0  # of the distance of the normalised spectrograms
    variance_weight: float = 1.0  # of durations, pitch and energy
    align_weight: float = 2.0  # of the alignment; 5 where it does not learn


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

    def _step(self, batch: dict[str, torch.Tensor], stage: str) -> torch.Tensor:
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
        self._log(stage, {"loss": loss, **values, "bin": bin_loss}, len(drawn))
        return loss

    def training_step(self, batch, index):
        """One batch of utterances."""
        return self._step(batch, "train")

    def validation_step(self, batch, index):
        """One batch of utterances."""
        self._step(batch, "valid")


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


class _Utterances(Dataset):
    """Utterances in an order that is new in every pass, a function of the index alone.

    Args:
        utt_ids: Their names.
        read: Utterance and a random generator -> sample.
        seed: Of the order.
    """

    def __init__(self, utt_ids: list[str], read, seed: int):
        self.utt_ids, self.read, self.seed = utt_ids, read, seed

    def __getitem__(self, index: int):
        turn, place = divmod(index, len(self.utt_ids))
        order = np.random.default_rng((self.seed, turn)).permutation(len(self.utt_ids))
        return self.read(self.utt_ids[order[place]], np.random.default_rng((self.seed, 1, index)))


def pretrain(
    part: str,
    voice_config: str,
    exp_dir: str,
    data: DataOptions = DataOptions(),
    optim: OptimOptions = OptimOptions(lr=1e-3),
    loss: LossOptions = LossOptions(),
    trainer: TrainerOptions = TrainerOptions(),
) -> None:
    """Train a half of JETS alone.

    Args:
        part: mel (text to spectrogram) or vocoder (spectrogram to sound).
        voice_config: config.yaml of the voice, as ESPnet writes it with --dry_run true.
        exp_dir: Experiment folder; training resumes if it was interrupted.
        data: How samples are read.
        optim: The optimiser.
        loss: What the text side is judged by.
        trainer: Length, precision, devices.
    """
    if part not in PARTS:
        raise ValueError(f"part '{part}' is none of {', '.join(PARTS)}")
    lightning.seed_everything(trainer.seed, verbose=False)
    config = resolve_config(Path(voice_config).parent)
    if config["tts"] != "jets":
        raise ValueError(f"{voice_config}: only JETS can be trained in halves, this is {config['tts']}")
    task, arguments, model = load_task(config), argparse.Namespace(**config), build_model(config)
    save_config(
        exp_dir,
        {"task": f"tts_pretrain_{part}", "version": __version__, "voice_config": str(voice_config)}
        | resolved(data=data, optim=optim, loss=loss, trainer=trainer),
    )
    if part == "mel":
        module, collate = MelTraining(model, optim, loss), _Collate(task.build_collate_fn(arguments, train=True))
        sets = [_utterances(task, arguments, name, trainer.seed) for name in ("train", "valid")]
    else:
        module, collate = VocoderTraining(model, optim, config["tts_conf"].get("mel_loss_params", {})), None
        length = (data.segment_size + 2 * MARGIN) * model.tts.generator.upsample_factor
        sets = [_segments(arguments, name, length, trainer.seed) for name in ("train", "valid")]
    loaders = make_loaders(*sets, data.batch_size, data.num_workers, trainer, collate)
    fit(module, *loaders, exp_dir, trainer, lambda path, step, epoch: _save(path, module.network, step, epoch))


def join(voice_config: str, mel_exp: str, vocoder_exp: str, out: str) -> None:
    """Join two halves to the weights of a JETS, for ESPnet's --init_param.

    Args:
        voice_config: config.yaml of the voice, as for both halves.
        mel_exp: Experiment folder of the text side.
        vocoder_exp: Experiment folder of the vocoder.
        out: The .pth to write.
    """
    model = build_model(resolve_config(Path(voice_config).parent))
    text, sound = (_weights(folder) for folder in (mel_exp, vocoder_exp))
    generator = model.tts.generator
    weights = {key.removeprefix("jets."): value for key, value in text.items() if key.startswith("jets.")}
    weights |= {f"generator.{key}": value for key, value in sound.items() if not key.startswith("input_conv.")}
    weights |= {
        f"generator.{key}": value
        for key, value in _first_layer(text["to_mel.weight"], text["to_mel.bias"], sound).items()
    }
    generator.load_state_dict(weights)
    with atomic_path(out) as temporary:
        torch.save(model.state_dict(), temporary)
    logging.info("%s: the text side of %s and the vocoder of %s", out, mel_exp, vocoder_exp)


def _first_layer(to_mel: torch.Tensor, offset: torch.Tensor, vocoder: dict[str, torch.Tensor]) -> dict:
    """Multiply the layer that draws the spectrogram into the vocoder's first.

    Exact but for the first and last frames, where the vocoder's zero padding stood for an average spectrum.

    Args:
        to_mel: Weight (mels, width, 1).
        offset: Its bias (mels,).
        vocoder: Weights of the vocoder.
    """
    normed = "input_conv.weight_g" in vocoder
    if normed:
        direction = vocoder["input_conv.weight_v"]
        weight = vocoder["input_conv.weight_g"] * functional.normalize(direction.flatten(1)).view_as(direction)
    else:
        weight = vocoder["input_conv.weight"]
    joined = torch.einsum("omk,mw->owk", weight, to_mel.squeeze(-1))
    bias = vocoder["input_conv.bias"] + torch.einsum("omk,m->o", weight, offset)
    if not normed:
        return {"input_conv.weight": joined, "input_conv.bias": bias}
    length = joined.flatten(1).norm(dim=1).view(-1, 1, 1)
    return {"input_conv.weight_v": joined, "input_conv.weight_g": length, "input_conv.bias": bias}


def _utterances(task: type, arguments: argparse.Namespace, name: str, seed: int) -> _Utterances:
    """The utterances of a set as ESPnet reads them."""
    from espnet2.train.dataset import ESPnetDataset

    tables = [tuple(entry) for entry in getattr(arguments, f"{name}_data_path_and_name_and_type")]
    espnet = ESPnetDataset(tables, preprocess=task.build_preprocess_fn(arguments, train=name == "train"))
    return _Utterances(_utt_ids(arguments, name), lambda utt_id, _: espnet[utt_id], seed)


def _segments(arguments: argparse.Namespace, name: str, length: int, seed: int) -> _Utterances:
    """Random cuts of the recordings of a set, so many samples long."""
    tables = getattr(arguments, f"{name}_data_path_and_name_and_type")
    scp = next(path for path, field, _ in tables if field == "speech")
    places = dict(line.split(maxsplit=1) for line in Path(scp).read_text(encoding="utf-8").splitlines())

    def read(utt_id: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
        with soundfile.SoundFile(places[utt_id]) as file:
            file.seek(int(rng.integers(max(0, file.frames - length) + 1)))
            # Silence where a recording is shorter.
            return {"speech": file.read(length, dtype="float32", fill_value=0.0)}

    return _Utterances(_utt_ids(arguments, name), read, seed)


def _utt_ids(arguments: argparse.Namespace, name: str) -> list[str]:
    """The utterances that stage 6 found usable."""
    lines = Path(getattr(arguments, f"{name}_shape_file")[0]).read_text(encoding="utf-8").splitlines()
    return [line.split(maxsplit=1)[0] for line in lines]


class _Collate:
    """ESPnet's batches without the names of the utterances."""

    def __init__(self, espnet):
        self.espnet = espnet

    def __call__(self, samples: list) -> dict[str, torch.Tensor]:
        return self.espnet(samples)[1]


def _save(path: Path, network: torch.nn.Module, step: int, epoch: int) -> None:
    with atomic_path(path) as temporary:
        torch.save({"state_dict": network.state_dict(), "global_step": step, "global_epoch": epoch}, temporary)


def _weights(exp_dir: str) -> dict[str, torch.Tensor]:
    """The averaged weights of a half."""
    return torch.load(find_weights(exp_dir), map_location="cpu", weights_only=True)["state_dict"]
