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
from pathlib import Path

import lightning
import numpy as np
import soundfile
import torch
from torch.nn import functional
from torch.utils.data import Dataset

from silvertalk import __version__
from silvertalk.training.experiment import resolved, save_config
from silvertalk.training.fit import TrainerOptions, fit
from silvertalk.training.learning import OptimOptions
from silvertalk.training.sampling import make_loaders
from silvertalk.tts.espnet import build_model, load_task
from silvertalk.tts.experiment import resolve_config
from silvertalk.tts.training.modules import MARGIN, LossOptions, MelGanTraining, MelTraining, VocoderTraining
from silvertalk.utils import atomic_path

PARTS = ("mel", "vocoder")


@dataclass
class DataOptions:
    """How samples are read."""

    batch_size: int = 16  # utterances, or segments of them
    num_workers: int = 1  # processes that read samples
    segment_size: int = 32  # frames that the vocoder learns from at a time


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
    init: str | None = None,
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
        init: Weights of the whole JETS (--init_tts) to begin with; the spectrogram between its halves begins anew.
        data: How samples are read.
        optim: The optimiser.
        loss: The losses of the text side.
        trainer: Length, precision, devices.
    """
    if part not in PARTS:
        raise ValueError(f"part '{part}' is none of {', '.join(PARTS)}")
    lightning.seed_everything(trainer.seed, verbose=False)
    config = resolve_config(Path(voice_config).parent)
    if config["tts"] != "jets":
        raise ValueError(f"{voice_config}: only JETS can be trained in halves, this is {config['tts']}")
    task, arguments, model = load_task(config), argparse.Namespace(**config), build_model(config)
    if init is not None:
        model.load_state_dict(torch.load(init, map_location="cpu", weights_only=True))
    save_config(
        exp_dir,
        {"task": f"tts_pretrain_{part}", "version": __version__, "voice_config": str(voice_config), "init": init}
        | resolved(data=data, optim=optim, loss=loss, trainer=trainer),
    )
    if part == "mel":
        if loss.adversarial_weight:
            module = MelGanTraining(model, optim, loss, grad_clip=trainer.grad_clip)
        else:
            module = MelTraining(model, optim, loss)
        collate = _Collate(task.build_collate_fn(arguments, train=True))
        sets = [_utterances(task, arguments, name, trainer.seed) for name in ("train", "valid")]
    else:
        module, collate = VocoderTraining(model, optim, config["tts_conf"].get("mel_loss_params", {})), None
        length = (data.segment_size + 2 * MARGIN) * model.tts.generator.upsample_factor
        sets = [_segments(arguments, name, length, trainer.seed) for name in ("train", "valid")]
    loaders = make_loaders(*sets, data.batch_size, data.num_workers, trainer, collate)
    fit(module, *loaders, exp_dir, trainer)


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


def _weights(exp_dir: str) -> dict[str, torch.Tensor]:
    """The last weights of a half: those at the lowest learning rate.

    The validation loss does not say which are the best: against a discriminator the distance grows a little again.
    """
    return torch.load(Path(exp_dir) / "latest.pth", map_location="cpu", weights_only=True)["state_dict"]
