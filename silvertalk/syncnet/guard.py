"""The convergence guard: is a long training of the expert going to learn anything?

An expert that stays at chance is what most people who train Wav2Lip report.
The reasons are nearly always in the data: sound and picture out of step, a
wrong frame rate, one clip for all. Minutes before a long run tell:

- one batch has to be learnt by heart, else pictures, spectrograms or the learning rate are wrong;
- with labels shuffled within each batch nothing can be learnt, so the loss has to stay at 0.693, else the label
  is to be read off something besides synchrony;
- what stage 4 measured says how well the clips are in step.
"""

import copy
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import default_collate

from silvertalk.data import read_scp
from silvertalk.data.face_clips import FaceClip
from silvertalk.media.mel import MELS_PER_SECOND
from silvertalk.media.timing import FPS
from silvertalk.syncnet.dataset import SyncNetDataset, to_float
from silvertalk.syncnet.losses import cosine_bce
from silvertalk.training.learning import PATIENCE
from silvertalk.utils import progress, write_text

CHANCE = 0.693  # cross entropy of a guess
LEARNT = 0.35  # half of chance: what a batch learnt by heart falls below
LEAK = 0.62  # with shuffled labels; sampling alone leaves the mean of the last batches above it
AT_CHANCE = CHANCE - 0.01
FEW_SPEAKERS, FEW_MINUTES, POOR_SYNC = 5, 5.0, 0.2
WHERE_TO_LOOK = (
    "look at (1) the offsets of stage 4 (utt2offset; they should be few and near 0), (2) the frame rate: every video at"
    " 25 fps with its sound in step, (3) the mel spectrograms: 80 rows a second, 3.2 per frame, made by stage 3,"
    " (4) the number of speakers and minutes: with few, train longer or with more augmentation"
)


@dataclass
class GuardOptions:
    """The trial before a training of the expert."""

    steps: int = 60  # of each of two short trainings; 0: no trial
    batch_size: int = 16  # windows
    lr: float = 1e-3
    strict: bool = False  # stop when something is wrong, instead of warning


def check_expert(
    network: torch.nn.Module,
    dataset: SyncNetDataset,
    face_dir: str,
    exp_dir: str,
    options: GuardOptions,
    device: str,
    bf16: bool,
) -> list[str]:
    """Try before a long training, and write what was seen to ``guard.txt``.

    Args:
        network: The expert; copies of it are trained.
        dataset: What it will be trained on.
        face_dir: Its face dump.
        exp_dir: Experiment folder.
        options: Length of the trial.
        device: Where to try, e.g. ``cuda``.
        bf16: Compute with half precision, as the training will.

    Returns:
        What is wrong, a sentence each.

    Raises:
        RuntimeError: Something is wrong, and ``options.strict``.
    """
    facts, warnings = describe_data(face_dir, dataset.clips)
    if options.steps:
        learnt = _loss_of_trial(network, _same_batch(dataset, options), options.lr, device, bf16)
        facts.append(f"one batch learnt by heart: loss {learnt:.3f} (wanted: below {LEARNT})")
        if not learnt < LEARNT:
            warnings.append(
                f"the expert does not learn even one batch ({learnt:.3f} after {options.steps} steps): pictures or"
                " spectrograms are constant or broken; play some files of video.scp and audio.scp"
            )
        shuffled = _loss_of_trial(network, _shuffled_batches(dataset, options), options.lr, device, bf16)
        facts.append(f"labels shuffled: loss {shuffled:.3f} (wanted: {CHANCE}, chance)")
        if shuffled < LEAK:
            warnings.append(
                f"with shuffled labels the loss falls to {shuffled:.3f} instead of staying at {CHANCE}: the windows are"
                " too alike; use more and longer clips"
            )
    for fact in facts:
        logging.info(fact)
    for warning in warnings:
        logging.warning(warning)
    write_text(Path(exp_dir) / "guard.txt", "".join(f"{line}\n" for line in [*facts, *(f"! {w}" for w in warnings)]))
    if warnings and options.strict:
        raise RuntimeError(f"{exp_dir}: {warnings[0]}; mend it, or set guard.strict false")
    return warnings


def describe_data(face_dir: str, clips: list[FaceClip]) -> tuple[list[str], list[str]]:
    """Say how much there is to learn from, and how well it is in step.

    Args:
        face_dir: Face dump of stage 4.
        clips: Its clips.

    Returns:
        Facts, and what is wrong with them.
    """
    minutes = sum(clip.num_frames for clip in clips) / FPS / 60
    speakers = len({clip.spk for clip in clips})
    facts, warnings = [f"{len(clips)} clips of {speakers} speakers, {minutes:.1f} minutes"], []
    if speakers < FEW_SPEAKERS:
        warnings.append(f"{_speakers(speakers)}: what is learnt will fit them and hardly anybody else")
    if minutes < FEW_MINUTES:
        warnings.append(f"only {minutes:.1f} minutes: expect the expert to know the clips by heart; use more")
    if odd := _wrong_mels(clips):
        warnings.append(
            f"{odd}: spectrogram and pictures differ in length; the frame rate or the mel padding is wrong, run stage 3"
        )
    if (path := Path(face_dir) / "utt2sync").is_file():
        sync = float(np.nanmedian([float(value) for value in read_scp(path).values()]))
        facts.append(f"mouth opening and sound correlate {sync:.2f} (median of stage 4)")
        if sync < POOR_SYNC:
            warnings.append(f"mouth and sound hardly correlate ({sync:.2f}): {WHERE_TO_LOOK}")
    if (path := Path(face_dir) / "utt2offset").is_file():
        offsets = np.array([float(value) for value in read_scp(path).values()])
        moved = f"stage 4 shifted the sound of {np.mean(offsets != 0):.0%} of the clips"
        facts.append(f"{moved}, by {offsets.min():g} to {offsets.max():g} frames")
    return facts, warnings


def _speakers(count: int) -> str:
    return "only one speaker" if count == 1 else f"only {count} speakers"


def _wrong_mels(clips: list[FaceClip], looked_at: int = 20) -> str | None:
    """Name a clip whose spectrogram is much longer or shorter than its pictures, of some that are looked at."""
    for clip in clips[:: max(1, len(clips) // looked_at)]:
        wanted = clip.num_frames * MELS_PER_SECOND / FPS
        if abs(clip.num_mels() - wanted) > MELS_PER_SECOND / 5:
            return clip.utt_id
    return None


def _same_batch(dataset: SyncNetDataset, options: GuardOptions) -> Iterator[dict]:
    """One batch again and again."""
    batch = default_collate([dataset[index] for index in range(options.batch_size)])
    for _ in range(options.steps):
        yield batch


def _shuffled_batches(dataset: SyncNetDataset, options: GuardOptions) -> Iterator[dict]:
    """New batches with labels of other samples."""
    order = torch.Generator().manual_seed(0)
    for step in range(options.steps):
        first = step * options.batch_size
        batch = default_collate([dataset[first + index] for index in range(options.batch_size)])
        batch["label"] = batch["label"][torch.randperm(options.batch_size, generator=order)]
        yield batch


def _loss_of_trial(network: torch.nn.Module, batches: Iterator[dict], lr: float, device: str, bf16: bool) -> float:
    """Train a copy of the expert, and return the mean loss of the last fifth of the steps."""
    losses = []
    with torch.random.fork_rng():  # the training draws what it would have drawn without the trial
        trial = copy.deepcopy(network).to(device).train()
        adam = torch.optim.Adam(trial.parameters(), lr)
        for batch in progress(batches, desc="guard"):
            batch = {key: value.to(device) for key, value in to_float(batch).items()}
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16):
                loss = cosine_bce(*trial(batch["mel"], batch["face"]), batch["label"])
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(float(loss.detach()))
    return float(np.mean(losses[-max(1, len(losses) // 5) :]))


def expert_advice(epoch: int, train_loss: float, valid_loss: float | None) -> str | None:
    """Say what to look at when the expert does not learn.

    Args:
        epoch: How many epochs there were.
        train_loss: Of the last one.
        valid_loss: Likewise; None: there is no validation.

    Returns:
        A sentence; None: all is well.
    """
    if valid_loss is None or epoch < PATIENCE or valid_loss < AT_CHANCE:
        return None
    if train_loss > AT_CHANCE:
        seen = f"after {epoch} epochs the expert still guesses (loss {valid_loss:.3f}, chance is {CHANCE})"
        return f"{seen}: {WHERE_TO_LOOK}"
    return (
        f"after {epoch} epochs the expert knows its clips (loss {train_loss:.3f}) and guesses on others"
        f" ({valid_loss:.3f}): it needs more speakers and minutes, or the validation set is out of step"
    )
