"""Training of the content branch, the speaker-aware branch and the image translation."""

import functools
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from lightning.pytorch.utilities import rank_zero_only

from silvertalk.makeittalk import networks
from silvertalk.makeittalk.checkpoint import FAMILY
from silvertalk.makeittalk.networks import MAX_LENGTH, WINDOW
from silvertalk.makeittalk.statistics import NAME as STATISTICS
from silvertalk.makeittalk.statistics import Statistics
from silvertalk.makeittalk.training.clips import load_portrait_clips
from silvertalk.makeittalk.training.dataset import MIN_FRAMES, HeldOutClips, LandmarkDataset, TranslationDataset
from silvertalk.makeittalk.training.landmark_modules import (
    ContentLossOptions,
    ContentTraining,
    SpeakerGanTraining,
    SpeakerLossOptions,
    SpeakerTraining,
)
from silvertalk.makeittalk.training.samples import LandmarkPreview
from silvertalk.makeittalk.training.translation_modules import TranslationLossOptions, TranslationTraining
from silvertalk.training.fit import TrainerOptions, fit
from silvertalk.training.learning import OptimOptions, save_training
from silvertalk.training.sampling import LoaderOptions, make_loaders


@dataclass
class ContentNetworkOptions:
    """Size of the content branch."""

    hidden_size: int | None = None  # width; null: of --init, or 256 as published
    dropout: float = 0.5  # between the layers of its LSTM, in training


@dataclass
class SpeakerNetworkOptions:
    """Size of the speaker-aware branch; null: of --init, or as published."""

    spk_emb_enc_size: int | None = None  # numbers that remain of the speaker embedding: 128 published
    hidden_size: int | None = None  # width of the LSTM: 256
    d_model: int | None = None  # width of the transformer: 64
    layers: int | None = None  # of the transformer: 2
    heads: int | None = None  # of its attention: 2
    ff_size: int | None = None  # width of its feed-forward layers: 2048
    dropout: float = 0.0  # in LSTM and transformer, in training


@dataclass
class TranslationNetworkOptions:
    """Size of the image translation; null: of --init, or as published."""

    ngf: int | None = None  # channels of the outermost level: 64
    moved: bool | None = None  # false, published: all is drawn anew; true: over the portrait moved to the landmarks
    num_downs: int | None = None  # halvings: 6; 7 gives it the same view of a face of 512 pixels


@dataclass
class LandmarkDataOptions(LoaderOptions):
    """How pieces of sound and landmarks are read."""

    batch_size: int = 1  # pieces of one clip each
    num_windows: int = MAX_LENGTH  # windows of a piece (62.5 begin in a second), at most 512
    window_step: int = 1  # frames between them, in the content branch's training; neighbours say nearly the same
    noise: float = 0.0  # standard deviation of what is added to the normalised sound; few clips are else known by heart

    def __post_init__(self):
        if not 10 <= self.num_windows <= MAX_LENGTH or self.window_step < 1:
            raise ValueError(f"data.num_windows is 10 to {MAX_LENGTH}, data.window_step 1 or more")


@dataclass
class PictureDataOptions(LoaderOptions):
    """How pictures are read."""

    batch_size: int = 8  # pairs of pictures
    img_size: int = 256  # side of the pictures (pixels)
    num_points: int = 68  # landmarks that are drawn; 74 needs stage 11 with --awing_weights
    augment: bool = True  # mirror, move, and change light and colours
    crop: int = 0  # side of the part of the pictures that is trained on (pixels); 0: all of them

    def __post_init__(self):
        if self.num_points not in (68, 74):
            raise ValueError(f"data.num_points is 68 or 74, not {self.num_points}")
        if not 0 <= self.crop <= self.img_size:
            raise ValueError(f"data.crop {self.crop} is not within data.img_size {self.img_size}")


def build_network(kind: str, init: str | None, **options) -> torch.nn.Module:
    """Build a network that begins well, or one like another with its weights; see ``Family.start``."""
    network = FAMILY.start(kind, init, ("dropout", "pos_dim"), **options)
    return network if init else _begin_well(network)


def _begin_well(network: torch.nn.Module) -> torch.nn.Module:
    """Let a new network begin near what is right: else thousands of steps go by first.

    A translation that draws over a portrait begins with the portrait; a branch
    with a face at rest and an LSTM that remembers a window.

    What is to be predicted is heard in a window's first frames, 18 steps
    before the LSTM's last state. Gates by Tallec and Ollivier, "Can recurrent
    neural networks warp time?", ICLR 2018, equation 16.
    """
    if isinstance(network, networks.ImageTranslation) and network.moved:
        torch.nn.init.zeros_(network.model.model[-1].weight)
    if not isinstance(network, networks.ContentBranch | networks.SpeakerBranch):
        return network
    lstm, output = (
        (network.bilstm, network.fc) if isinstance(network, networks.ContentBranch)
        else (network.audio_content_encoder, network.out)
    )  # fmt: skip
    with torch.no_grad():
        for layer in range(lstm.num_layers):
            kept = torch.empty(lstm.hidden_size).uniform_(1, WINDOW - 1).log()
            bias = getattr(lstm, f"bias_ih_l{layer}")  # of the gates: input, forget, cell, output
            bias[: len(kept)] -= kept
            bias[len(kept) : 2 * len(kept)] += kept
        for parameter in output[-1].parameters():
            parameter *= 0.01
    return network


def _prepare(task: str, train_dir: str, exp_dir: str, network: torch.nn.Module, **sections) -> None:
    """Write what was asked for, and the statistics the network is used with."""
    save_training(task, exp_dir, network, **sections)
    rank_zero_only(Statistics.load(_beside(train_dir)).save)(Path(exp_dir) / STATISTICS)


def _beside(train_dir: str) -> Path:
    """Statistics of the training set lie beside its folder."""
    return Path(train_dir).parent / STATISTICS


def _train_landmarks(training, network, target, folders, data, optim, loss, trainer, step=1, min_frames=MIN_FRAMES):
    """What the trainings of both branches share.

    Args:
        training: Class of the module, made with ``network, optim, images_dir, preview, loss=loss``.
        network: The branch.
        target: Archive of what it predicts.
        folders: train_dir, valid_dir, exp_dir.
        data, optim, loss, trainer: Options.
        step: Frames between the windows of a piece.
        min_frames: Of a clip.
    """
    train_dir, valid_dir, exp_dir = folders
    statistics = Statistics.load(_beside(train_dir))
    train, valid = (load_portrait_clips(folder, min_frames) for folder in (train_dir, valid_dir))
    datasets = (
        LandmarkDataset(
            train, trainer.seed, statistics, target, data.num_windows, step, data.noise, data.speaker_balance
        ),
        HeldOutClips(valid, statistics, target),
    )
    loaders = make_loaders(
        *datasets, data.batch_size, data.num_workers, trainer, collate_fn=list,
        num_valid=min(len(valid), data.batch_size * trainer.num_valid_iters),
    )  # fmt: skip
    preview = LandmarkPreview(valid[0].audio)
    module = training(network, optim, Path(exp_dir) / "images", preview, loss=loss)
    fit(module, *loaders, exp_dir, trainer)


def train_content(
    train_dir: str,
    valid_dir: str,
    exp_dir: str,
    init: str | None = None,
    model: ContentNetworkOptions = ContentNetworkOptions(),
    data: LandmarkDataOptions = LandmarkDataOptions(),
    optim: OptimOptions = OptimOptions(),
    loss: ContentLossOptions = ContentLossOptions(),
    trainer: TrainerOptions = TrainerOptions(),
) -> None:
    """Train the content branch of MakeItTalk: lips from sound.

    Args:
        train_dir: Dump of stage 11 for training, e.g. dump/makeittalk/tr_no_dev.
        valid_dir: Dump of stage 11 for validation, e.g. dump/makeittalk/dev.
        exp_dir: Experiment folder; training resumes if it was interrupted.
        init: Checkpoint or experiment folder to fine-tune, e.g. the published ckpt_content_branch.pth.
        model: Size of the network.
        data: How pieces of sound and landmarks are read.
        optim: The optimiser.
        loss: The losses of the branch.
        trainer: Length, precision, devices.
    """
    lightning.seed_everything(trainer.seed, verbose=False)
    network = build_network("ContentBranch", init, hidden_size=model.hidden_size, dropout=model.dropout)
    _prepare(
        "makeittalk_content", train_dir, exp_dir, network, init=init, data=data, optim=optim, loss=loss, trainer=trainer
    )
    folders = train_dir, valid_dir, exp_dir
    _train_landmarks(ContentTraining, network, "registered", folders, data, optim, loss, trainer, step=data.window_step)


def train_speaker(
    train_dir: str,
    valid_dir: str,
    exp_dir: str,
    init: str | None = None,
    model: SpeakerNetworkOptions = SpeakerNetworkOptions(),
    data: LandmarkDataOptions = LandmarkDataOptions(),
    optim: OptimOptions = OptimOptions(lr=1e-3, weight_decay=1e-6),
    loss: SpeakerLossOptions = SpeakerLossOptions(),
    trainer: TrainerOptions = TrainerOptions(),
) -> None:
    """Train the speaker-aware branch of MakeItTalk: the motion of face and head from sound and speaker.

    Args:
        train_dir: Dump of stage 11 for training, e.g. dump/makeittalk/tr_no_dev.
        valid_dir: Dump of stage 11 for validation, e.g. dump/makeittalk/dev.
        exp_dir: Experiment folder; training resumes if it was interrupted.
        init: Checkpoint or experiment folder to fine-tune, e.g. the published ckpt_speaker_branch.pth.
        model: Size of the network.
        data: How pieces of sound and landmarks are read.
        optim: The optimiser.
        loss: The losses of the branch.
        trainer: Length, precision, devices.
    """
    if data.window_step != 1:
        raise ValueError("data.window_step is 1 here: the speaker-aware branch sees every frame of a piece")
    if loss.adversarial_weight and data.num_windows <= loss.discriminator_window:
        raise ValueError(
            f"loss.discriminator_window {loss.discriminator_window} has to be less than data.num_windows"
            f" {data.num_windows}"
        )
    lightning.seed_everything(trainer.seed, verbose=False)
    pos_dim = 7 if loss.pose_weight else 0
    network = build_network("SpeakerBranch", init, **vars(model), pos_dim=pos_dim)
    _prepare(
        "makeittalk_speaker", train_dir, exp_dir, network, init=init, data=data, optim=optim, loss=loss, trainer=trainer
    )
    training, min_frames = SpeakerTraining, MIN_FRAMES
    if loss.adversarial_weight:
        steps = {"accum_grad": trainer.accum_grad, "grad_clip": trainer.grad_clip}
        training = functools.partial(SpeakerGanTraining, **steps)
        min_frames = max(min_frames, loss.discriminator_window + 1 + WINDOW)
    folders = train_dir, valid_dir, exp_dir
    _train_landmarks(training, network, "landmarks", folders, data, optim, loss, trainer, min_frames=min_frames)


def train_translation(
    train_dir: str,
    valid_dir: str,
    exp_dir: str,
    init: str | None = None,
    model: TranslationNetworkOptions = TranslationNetworkOptions(),
    data: PictureDataOptions = PictureDataOptions(),
    optim: OptimOptions = OptimOptions(betas=(0.5, 0.999)),
    loss: TranslationLossOptions = TranslationLossOptions(),
    trainer: TrainerOptions = TrainerOptions(),
) -> None:
    """Train the image translation of MakeItTalk: pictures from landmarks and a portrait.

    Args:
        train_dir: Dump of stage 11 for training, e.g. dump/makeittalk/tr_no_dev.
        valid_dir: Dump of stage 11 for validation, e.g. dump/makeittalk/dev.
        exp_dir: Experiment folder; training resumes if it was interrupted.
        init: Checkpoint or experiment folder to fine-tune, e.g. the published ckpt_116_i2i_comb.pth.
        model: Size of the network.
        data: How pictures are read.
        optim: The optimiser.
        loss: The losses of the network.
        trainer: Length, precision, devices.
    """
    lightning.seed_everything(trainer.seed, verbose=False)
    network = build_network("ImageTranslation", init, **vars(model))
    for name, size in (("img_size", data.img_size), ("crop", data.crop)):
        if size % (smallest := 2 ** network.options["num_downs"]):
            raise ValueError(f"data.{name} {size} is no multiple of {smallest}, which the network halves to 1")
    if network.moved and data.num_points != 68:
        raise ValueError("model.moved moves the portrait by its 68 points; leave data.num_points out")
    _prepare(
        "makeittalk_translation", train_dir, exp_dir, network, init=init, data=data, optim=optim, loss=loss,
        trainer=trainer,
    )  # fmt: skip
    train, valid = (
        load_portrait_clips(folder, min_pictures=2, num_points=data.num_points) for folder in (train_dir, valid_dir)
    )
    stored = train[0].portrait_size()
    if stored < data.img_size:
        raise ValueError(
            f"{train_dir}: the portraits have {stored} pixels, {data.img_size} are wanted; run stage 11 with"
            f" --portrait_size {data.img_size}"
        )
    datasets = (
        TranslationDataset(
            train, trainer.seed, data.img_size, data.augment, data.crop, network.moved, data.speaker_balance
        ),
        TranslationDataset(valid, trainer.seed + 1, data.img_size, moved=network.moved),
    )
    loaders = make_loaders(*datasets, data.batch_size, data.num_workers, trainer)
    module = TranslationTraining(network, optim, loss, Path(exp_dir) / "images")
    fit(module, *loaders, exp_dir, trainer)
