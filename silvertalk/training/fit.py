"""A training run with the folder that ESPnet users know.

``config.yaml train.log *epoch.pth checkpoint.pth latest.pth *.best.pth
*.ave_5best.pth tensorboard/ images/``. The loop itself, mixed precision,
devices and nodes are Lightning's.

Several processes (GPUs times nodes) take as many optimiser steps as one would,
each with a batch of its own, so N of them see N times as many samples; the
learning rate stays as it is. Gradients are averaged over the processes, while
batch normalisation looks at each process's own batch.
"""

import contextlib
import json
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import lightning
import matplotlib
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from silvertalk.training.experiment import find_weights
from silvertalk.training.learning import TrainedModule
from silvertalk.utils.files import atomic_path, remove_leftovers
from silvertalk.utils.processor import has_native_bf16, instruction_set

matplotlib.use("Agg")


@dataclass
class TrainerOptions:
    """How long and on what to train."""

    max_epoch: int = 100  # an epoch is num_iters_per_epoch steps
    num_iters_per_epoch: int = 1000  # optimiser steps, by however many processes
    num_valid_iters: int = 20  # validation batches of each process after each epoch
    precision: str = "32-true"  # Lightning's names, as bf16-mixed; auto: bf16-mixed where it is native, else 32-true
    accum_grad: int = 1  # batches summed before a step
    grad_clip: float = 0.0  # gradient norm limit; 0: none
    ngpu: int = 0  # GPUs per node; 0: CPU
    num_nodes: int = 1  # machines; the worker is to be started on each of them, on Slurm by srun
    seed: int = 777
    keep_nbest_models: int = 5  # averaged at the end
    patience: int = 0  # stop after so many epochs without a better validation loss; 0: never
    ema: float = 0.0  # decay of the moving average of the weights, which is what is validated and saved; 0: none


def choose_precision(options: TrainerOptions) -> str:
    """Lightning's name of the precision to train in: what was asked for, or what is fast on this processor or GPU."""
    if options.precision != "auto":
        return options.precision
    native = torch.cuda.is_bf16_supported(including_emulation=False) if options.ngpu else has_native_bf16()
    chosen = "bf16-mixed" if native else "32-true"
    logging.info("precision auto: %s (%s)", chosen, "GPU" if options.ngpu else instruction_set())
    return chosen


def fit(module: TrainedModule, train_loader, valid_loader, exp_dir: str | os.PathLike, options: TrainerOptions) -> Path:
    """Train, resuming where a killed run stopped.

    Args:
        module: Logs the metric ``valid/loss``. One with several optimisers steps them itself
            (``automatic_optimization`` false), and cares for accumulation and the gradient's norm.
        train_loader: Batches for training, of this process alone.
        valid_loader: Batches for validation, likewise.
        exp_dir: Experiment folder.
        options: Length, precision, devices.

    Returns:
        The averaged weights.

    Raises:
        RuntimeError: The loss is no number any more.
        OSError: A file cannot be written. In both cases ``checkpoint.pth`` is that of the last good epoch.
    """
    exp_dir = Path(exp_dir)
    exp_dir.mkdir(parents=True, exist_ok=True)
    folder = ExperimentFolder(exp_dir, module.save_weights, options.keep_nbest_models, options.patience)
    trainer = _make_trainer(options, folder, steps_itself=not module.automatic_optimization)
    checkpoint = exp_dir / "checkpoint.pth"
    if trainer.is_global_zero:
        remove_leftovers(exp_dir)  # of a killed run
    with _log_file(exp_dir / "train.log") if trainer.is_global_zero else contextlib.nullcontext():
        if trainer.world_size > 1:
            logging.info("%d processes on %d nodes", trainer.world_size, trainer.num_nodes)
        resumed = checkpoint if checkpoint.is_file() else None
        if resumed:
            logging.info("resuming from %s", checkpoint)
        trainer.fit(module, train_loader, valid_loader, ckpt_path=resumed, weights_only=False)
        if trainer.is_global_zero:
            folder.average_best()
    return find_weights(exp_dir)


def _make_trainer(options: TrainerOptions, folder: "ExperimentFolder", steps_itself: bool) -> lightning.Trainer:
    """Make Lightning's loop; a module that steps its optimisers itself sums and clips gradients, too."""
    averages = [EMAWeightAveraging(decay=options.ema)] if options.ema else []
    parallel = max(options.ngpu, 1) * options.num_nodes > 1
    return lightning.Trainer(
        accelerator="gpu" if options.ngpu else "cpu",
        devices=options.ngpu or 1,
        num_nodes=options.num_nodes,
        # Of several optimisers' networks each step uses a part.
        strategy="ddp_find_unused_parameters_true" if steps_itself and parallel else "auto",
        precision=choose_precision(options),  # type: ignore[arg-type]  # Lightning lists the words
        max_epochs=options.max_epoch,
        limit_train_batches=options.num_iters_per_epoch * options.accum_grad,
        limit_val_batches=options.num_valid_iters,
        accumulate_grad_batches=1 if steps_itself else options.accum_grad,
        gradient_clip_val=None if steps_itself else options.grad_clip or None,
        logger=TensorBoardLogger(folder.exp_dir, name="", version="tensorboard"),
        callbacks=[folder, *averages, *([TQDMProgressBar()] if os.isatty(2) else [])],
        enable_progress_bar=os.isatty(2),
        enable_checkpointing=False,
        enable_model_summary=False,
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # the loaders know their share
    )


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Write what is logged to a file, too."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s (%(module)s:%(lineno)d) %(levelname)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


class ExperimentFolder(Callback):
    """Write the experiment folder after every epoch.

    Has to stand before a callback that averages weights: what was validated is saved.

    Args:
        exp_dir: Experiment folder.
        save_weights: Writes a weights file: (path, step, epoch).
        nbest: Number of best epochs kept and averaged.
        patience: Epochs without a better one after which training stops; 0: never.
    """

    METRIC = "valid/loss"
    LOSS_EVERY = 20  # batches between two looks at the loss, each of which waits for the GPU

    def __init__(self, exp_dir: Path, save_weights: Callable[[Path, int, int], None], nbest: int, patience: int = 0):
        self.exp_dir, self.save_weights, self.nbest, self.patience = exp_dir, save_weights, nbest, patience
        self.checkpoint = exp_dir / "checkpoint.pth"
        self.history: list[dict[str, float]] = []  # one entry per epoch

    def state_dict(self) -> dict:
        """Kept in ``checkpoint.pth``."""
        return {"history": json.dumps(self.history)}

    def load_state_dict(self, state: dict) -> None:
        """Restored from ``checkpoint.pth``."""
        self.history = json.loads(state["history"])

    def on_train_start(self, trainer, module) -> None:
        """A training that had stopped early is not begun again."""
        trainer.should_stop = self._is_patient_no_more()

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:
        """Notice early when the loss is no number any more."""
        if batch_idx % self.LOSS_EVERY == 0 and isinstance(outputs, Mapping) and "loss" in outputs:
            self._refuse_nan({"train/loss": float(outputs["loss"])})

    def on_validation_epoch_end(self, trainer, module) -> None:
        """Save the weights that were validated."""
        self._refuse_nan(_metrics(trainer))
        if trainer.is_global_zero:
            epoch = trainer.current_epoch + 1
            with self._named_errors(path := self.exp_dir / f"{epoch}epoch.pth"):
                self.save_weights(path, trainer.global_step, epoch)

    def on_train_epoch_end(self, trainer, module) -> None:
        """Log the epoch, keep the best, and last the resume point."""
        # Lightning's metrics and its checkpoint are the work of all processes, the files that of one.
        metrics = _metrics(trainer)
        self._refuse_nan(metrics)
        self.history.append({"epoch": trainer.current_epoch + 1, **metrics})
        if trainer.is_global_zero:
            with self._named_errors(self.exp_dir):
                self._write_epoch(trainer.current_epoch + 1, metrics)
            with self._named_errors(self.checkpoint), atomic_path(self.checkpoint) as temporary:
                trainer.save_checkpoint(temporary)
        else:
            trainer.save_checkpoint(self.checkpoint)
        if self._is_patient_no_more():
            best = self._best_epochs()[0]
            logging.info("stopped: no epoch was better than epoch %d for %d epochs", best, self.patience)
            trainer.should_stop = True

    def _refuse_nan(self, metrics: dict[str, float]) -> None:
        """Stop before a broken network is saved."""
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise RuntimeError(
                    f"{self.exp_dir}: {name} is {value}; lower optim.lr, or train with trainer.precision 32-true or a"
                    f" trainer.grad_clip of 1. {self._last_good()}"
                )

    @contextlib.contextmanager
    def _named_errors(self, path: Path) -> Iterator[None]:
        """Say what could not be written and what is left."""
        try:
            yield
        except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError when the disk is full
            raise OSError(f"{path}: cannot be written ({error}); make room on the disk. {self._last_good()}") from error

    def _last_good(self) -> str:
        """Where the next start goes on."""
        if not self.checkpoint.is_file():
            return "No epoch was finished: the next start begins anew"
        return f"{self.checkpoint} is that of the last finished epoch, from which the next start goes on"

    def _is_patient_no_more(self) -> bool:
        """Whether the last epochs were all no better."""
        return bool(
            self.patience and self.history and self.history[-1]["epoch"] - self._best_epochs()[0] >= self.patience
        )

    def _write_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Write everything but the weights and the resume point."""
        logging.info("%d epoch: %s", epoch, ", ".join(f"{k}={v:.4f}" for k, v in metrics.items()))
        self._link("latest.pth", epoch)
        best = self._best_epochs()
        self._link("valid.loss.best.pth", best[0])
        for path in self.exp_dir.glob("*epoch.pth"):
            if int(path.name.removesuffix("epoch.pth")) not in {*best, epoch}:
                path.unlink()
        self._plot()

    def average_best(self) -> None:
        """Average the weights of the best epochs."""
        if not self.history:
            raise RuntimeError(f"{self.exp_dir}: nothing was trained; give trainer.max_epoch 1 or more")
        target = self.exp_dir / f"valid.loss.ave_{self.nbest}best.pth"
        with self._named_errors(target):
            average_checkpoints([self.exp_dir / f"{n}epoch.pth" for n in self._best_epochs()], target)

    def _best_epochs(self) -> list[int]:
        """Numbers of the best epochs, the best first."""
        ranked = sorted(self.history, key=lambda entry: entry.get(self.METRIC, float("inf")))
        return [int(entry["epoch"]) for entry in ranked[: self.nbest]]

    def _link(self, name: str, epoch: int) -> None:
        """Point a link at an epoch's weights, atomically."""
        with atomic_path(self.exp_dir / name) as temporary:
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(f"{epoch}epoch.pth")

    def _plot(self) -> None:
        """Draw every metric over the epochs."""
        from matplotlib import pyplot

        names = sorted({k for entry in self.history for k in entry if k != "epoch" and "_step" not in k})
        groups = sorted({name.split("/")[-1] for name in names})
        figure, axes = pyplot.subplots(1, len(groups), figsize=(4 * len(groups), 3), squeeze=False)
        for axis, group in zip(axes[0], groups, strict=True):
            for name in (n for n in names if n.split("/")[-1] == group):
                points = [(e["epoch"], e[name]) for e in self.history if name in e]
                axis.plot(*zip(*points, strict=True), label=name)
            axis.set(title=group, xlabel="epoch")
            axis.legend()
        with atomic_path(self.exp_dir / "images" / "loss.png") as temporary:
            figure.savefig(temporary, dpi=80, bbox_inches="tight")
        pyplot.close(figure)


def _metrics(trainer) -> dict[str, float]:
    """What was logged up to now, as numbers."""
    return {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}


def average_checkpoints(paths: list[Path], out_path: Path) -> None:
    """Average the weights of several checkpoints; counters are taken from the first.

    Args:
        paths: Files with a ``state_dict``.
        out_path: The file to write, same layout.
    """
    contents = [torch.load(path, map_location="cpu", weights_only=True) for path in paths]
    average = dict(contents[0])
    average["state_dict"] = {
        key: torch.stack([c["state_dict"][key] for c in contents]).mean(0) if value.is_floating_point() else value
        for key, value in contents[0]["state_dict"].items()
    }
    with atomic_path(out_path) as temporary:
        torch.save(average, temporary)
