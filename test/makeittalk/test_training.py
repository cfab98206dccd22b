"""The three trainings learn, leave ESPnet's tree, and go on where they stopped."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from silvertalk.makeittalk.checkpoint import load_checkpoint, save_checkpoint
from silvertalk.makeittalk.networks import ContentBranch, ImageTranslation, SpeakerBranch
from silvertalk.makeittalk.statistics import Statistics
from silvertalk.makeittalk.training.landmark_modules import ContentLossOptions, SpeakerLossOptions
from silvertalk.makeittalk.training.train import (
    ContentNetworkOptions,
    LandmarkDataOptions,
    PictureDataOptions,
    SpeakerNetworkOptions,
    TranslationNetworkOptions,
    train_content,
    train_speaker,
    train_translation,
)
from silvertalk.training.experiment import load_config
from silvertalk.training.fit import TrainerOptions
from silvertalk.training.learning import OptimOptions

SHORT = TrainerOptions(max_epoch=1, num_iters_per_epoch=2, num_valid_iters=1, keep_nbest_models=2)
PIECES = LandmarkDataOptions(batch_size=2, num_windows=24, num_workers=0)
PICTURES = PictureDataOptions(batch_size=2, img_size=64, num_workers=0)
SMALL = {"spk_emb_enc_size": 4, "hidden_size": 8, "d_model": 8, "layers": 1, "ff_size": 8}


def content(dump, exp_dir, **options):
    """Train a small content branch for a moment."""
    options = {"model": ContentNetworkOptions(8, 0.1), "data": PIECES, "trainer": SHORT} | options
    train_content(str(dump / "tr_no_dev"), str(dump / "dev"), str(exp_dir), **options)


def speaker(dump, exp_dir, **options):
    """Train a small speaker-aware branch for a moment."""
    options = {"model": SpeakerNetworkOptions(**SMALL), "data": PIECES, "trainer": SHORT} | options
    train_speaker(str(dump / "tr_no_dev"), str(dump / "dev"), str(exp_dir), **options)


def translation(dump, exp_dir, **options):
    """Train a small image translation for a moment."""
    options = {"model": TranslationNetworkOptions(ngf=2), "data": PICTURES, "trainer": SHORT} | options
    train_translation(str(dump / "tr_no_dev"), str(dump / "dev"), str(exp_dir), **options)


KINDS = [(content, ContentBranch), (speaker, SpeakerBranch), (translation, ImageTranslation)]


def logged(exp_dir, name):
    """What was logged of every epoch."""
    states = torch.load(exp_dir / "checkpoint.pth", weights_only=False)["callbacks"]
    return [epoch[name] for epoch in json.loads(states["ExperimentFolder"]["history"])]


@pytest.mark.parametrize(("train", "kind"), KINDS, ids=["content", "speaker", "translation"])
def test_training_leaves_the_tree_and_goes_on(portrait_dump, tmp_path, train, kind):
    train(portrait_dump, tmp_path)
    first = load_checkpoint(tmp_path / "1epoch.pth")
    train(portrait_dump, tmp_path, trainer=replace(SHORT, max_epoch=2))
    names = {path.name for path in tmp_path.iterdir()}
    assert {
        "config.yaml", "statistics.npz", "train.log", "1epoch.pth", "2epoch.pth", "checkpoint.pth", "latest.pth",
        "valid.loss.best.pth", "valid.loss.ave_2best.pth", "tensorboard", "images",
    } <= names  # fmt: skip
    assert torch.load(tmp_path / "2epoch.pth")["global_step"] == 4
    average, second = load_checkpoint(tmp_path), load_checkpoint(tmp_path / "2epoch.pth")
    assert type(average) is kind and load_config(tmp_path)["model"] == average.options
    states = [network.state_dict() for network in (first, second, average)]
    moved = {key for key in states[0] if not torch.equal(states[0][key], states[1][key])}
    assert {key for key, _ in first.named_parameters() if not key.startswith("decoder.")} <= moved
    key = next(key for key in sorted(moved) if states[0][key].is_floating_point())
    torch.testing.assert_close(states[2][key], (states[0][key] + states[1][key]) / 2)
    np.testing.assert_array_equal(Statistics.load(tmp_path).std_face, Statistics.load(portrait_dump).std_face)
    pictures = {path.name for path in (tmp_path / "images").iterdir()}
    films = set() if kind is ImageTranslation else {"1epoch.mp4", "2epoch.mp4"}
    assert pictures == {"loss.png", "1epoch.png", "2epoch.png"} | films
    figures = ("parts_rms", "parts_rms_reference") if kind is ImageTranslation else (
        "lip_correlation", "lip_correlation_control", "lip_motion")  # fmt: skip
    assert all(len(logged(tmp_path, f"valid/{name}")) == 2 for name in figures)


@pytest.mark.recipe  # seconds
def test_adversarial_training_goes_on(portrait_dump, tmp_path):
    loss = SpeakerLossOptions(adversarial_weight=0.1, discriminator_window=12, discriminator_step=4, pose_weight=0.0)
    trainer = replace(SHORT, accum_grad=2, grad_clip=1.0)
    optim = OptimOptions(final_lr=1e-5)
    speaker(portrait_dump, tmp_path, loss=loss, trainer=trainer, optim=optim)
    first = torch.load(tmp_path / "checkpoint.pth", weights_only=False)
    speaker(portrait_dump, tmp_path, loss=loss, trainer=replace(trainer, max_epoch=2), optim=optim)
    second = torch.load(tmp_path / "checkpoint.pth", weights_only=False)
    assert (first["global_step"], second["global_step"]) == (4, 8)  # of both optimisers
    assert torch.load(tmp_path / "2epoch.pth")["global_step"] == 4
    learnt = {"network.out.0.weight", "discriminators.landmark.fl_D.0.weight", "discriminators.movement.out.0.weight"}
    assert all(not torch.equal(first["state_dict"][key], second["state_dict"][key]) for key in learnt)
    assert all(
        np.isfinite(logged(tmp_path, f"train/{name}")).all() for name in ("adversarial", "disc_real", "disc_fake")
    )


@pytest.mark.parametrize(("train", "network"), [
    (content, ContentBranch(hidden_size=8)),
    (speaker, SpeakerBranch(**SMALL)),
    (translation, ImageTranslation(ngf=2)),
], ids=["content", "speaker", "translation"])  # fmt: skip
def test_fine_tuning_goes_on_from_weights(portrait_dump, tmp_path, train, network):
    save_checkpoint(tmp_path / "old.pth", network)
    still = {"optim": OptimOptions(lr=0.0), "trainer": replace(SHORT, num_iters_per_epoch=1)}
    model = {content: ContentNetworkOptions(dropout=0.3), speaker: SpeakerNetworkOptions(dropout=0.3),
             translation: TranslationNetworkOptions()}[train]  # fmt: skip
    train(portrait_dump, tmp_path / "new", init=str(tmp_path / "old.pth"), model=model, **still)
    new = load_checkpoint(tmp_path / "new")
    for name, value in network.named_parameters():
        torch.testing.assert_close(new.get_parameter(name), value)
    given = {**network.options, **({"dropout": 0.3} if train is not translation else {})}
    assert new.options == given | ({"pos_dim": 7} if train is speaker else {})
    other = {content: ContentNetworkOptions(16), speaker: SpeakerNetworkOptions(hidden_size=16),
             translation: TranslationNetworkOptions(ngf=4)}[train]  # fmt: skip
    with pytest.raises(ValueError, match=r"has (hidden_size 8|ngf 2), not (16|4); leave model\."):
        train(portrait_dump, tmp_path / "x", init=str(tmp_path / "old.pth"), model=other)
    wrong = ContentBranch(hidden_size=8) if train is not content else ImageTranslation(ngf=2)
    save_checkpoint(tmp_path / "wrong.pth", wrong)
    with pytest.raises(ValueError, match="wrong.pth holds a"):
        train(portrait_dump, tmp_path / "x", init=str(tmp_path / "wrong.pth"))


def test_wrong_dumps_and_options_are_named(portrait_dump, tmp_path):
    with pytest.raises(FileNotFoundError, match="statistics.npz; run stage 11"):
        content(tmp_path, tmp_path / "x")
    shutil.copy(portrait_dump / "statistics.npz", tmp_path)
    for train in (content, speaker, translation):
        with pytest.raises(FileNotFoundError, match=r"no .*tr_no_dev/.*\.scp; run stage 11"):
            train(tmp_path, tmp_path / "x")
    gan = SpeakerLossOptions(adversarial_weight=0.1, discriminator_window=23)
    with pytest.raises(ValueError, match="discriminator_window 24 has to be less than data.num_windows 24"):
        speaker(portrait_dump, tmp_path / "x", loss=replace(gan, discriminator_window=24))
    long = replace(PIECES, num_windows=200)
    with pytest.raises(RuntimeError, match="no clip has 119 frames"):
        speaker(portrait_dump, tmp_path / "x", data=long, loss=replace(gan, discriminator_window=100))
    with pytest.raises(ValueError, match="window_step is 1 here"):
        speaker(portrait_dump, tmp_path / "x", data=replace(PIECES, window_step=2))
    with pytest.raises(ValueError, match="portraits have 64 pixels, 128 are wanted.*--portrait_size 128"):
        translation(portrait_dump, tmp_path / "x", data=replace(PICTURES, img_size=128))
    with pytest.raises(ValueError, match="no multiple of 64"):
        translation(portrait_dump, tmp_path / "x", data=replace(PICTURES, img_size=32))
    with pytest.raises(ValueError, match="data.crop 16 is no multiple of 64"):
        translation(portrait_dump, tmp_path / "x", data=replace(PICTURES, crop=16))
    with pytest.raises(ValueError, match="crop 128 is not within"):
        PictureDataOptions(img_size=64, crop=128)
    for wrong in ({"num_windows": 600}, {"num_windows": 4}, {"window_step": 0}):
        with pytest.raises(ValueError, match="data.num_windows is 10 to 512"):
            LandmarkDataOptions(**wrong)
    with pytest.raises(ValueError, match="68 or 74, not 98"):
        PictureDataOptions(num_points=98)


@pytest.mark.recipe  # a minute
def test_content_branch_learns_what_is_heard_and_nothing_else(portrait_dump, tmp_path):
    """In the made dump sound and mouth follow one curve: learnt from three clips, seen on two others."""
    trainer = TrainerOptions(max_epoch=4, num_iters_per_epoch=75, num_valid_iters=1, keep_nbest_models=1)
    options = {
        "model": ContentNetworkOptions(24, 0.0), "optim": OptimOptions(lr=4e-3, final_lr=1e-4),
        "data": replace(PIECES, batch_size=6, num_windows=40, window_step=4), "trainer": trainer,
        "loss": ContentLossOptions(motion=True),
    }  # fmt: skip
    content(portrait_dump, tmp_path, **options)
    right, control = (logged(tmp_path, f"valid/lip_correlation{name}")[-1] for name in ("", "_control"))
    assert right > 0.8 and control < 0.4
    # A still mouth is the best answer to a sound that says nothing.
    deaf = tmp_path / "deaf"
    shutil.copytree(portrait_dump, deaf)
    statistics = Statistics.load(deaf)
    statistics.au_std = statistics.au_std * 1e12
    statistics.save(deaf / "statistics.npz")
    content(deaf, tmp_path / "exp", **options)
    assert logged(tmp_path / "exp", "valid/lip_correlation")[-1] < 0.4
