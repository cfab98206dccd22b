"""One optimisation step of the content branch and of the speaker-aware branch, as Lightning wants it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from silvertalk.face.lips import lip_opening, pearson
from silvertalk.makeittalk.networks import LandmarkDiscriminator, TransformerDiscriminator
from silvertalk.makeittalk.portrait.animate import EMBEDDING_SCALE
from silvertalk.makeittalk.training.losses import content_loss, speaker_losses
from silvertalk.makeittalk.training.samples import LandmarkPreview, save_curves
from silvertalk.training.learning import PATIENCE, ManualSteps, OptimOptions, TrainedModule, least_squares

ABOVE_CONTROL = 0.1  # correlation by which the right sound has to be better than another clip's


@dataclass
class ContentLossOptions:
    """The losses of the content branch, besides the L1 distance in which near lips count more."""

    laplacian: bool = True  # every point's place among its neighbours counts, too
    motion: bool = False  # movement from frame to frame counts, too


@dataclass
class SpeakerLossOptions:
    """The losses of the speaker-aware branch, besides the L1 distance."""

    laplacian_weight: float = 1.0  # of every point's place among its neighbours
    face_twice: bool = False  # there the face at rest is added twice, as in the published code, which blurs the shape
    pose_weight: float = 1.0  # of the head's pose, a second output that only training has; 0: none
    adversarial_weight: float = 0.0  # of each adversarial loss (the paper's is 0.001); 0: there are no discriminators
    adversarial_from: int = 0  # optimiser steps after which it counts; they learn from the beginning
    discriminator_window: int = 64  # frames (at 62.5 per second) that the discriminator of movements looks at
    discriminator_step: int = 16  # frames between its windows

    def __post_init__(self):
        if min(self.laplacian_weight, self.pose_weight, self.adversarial_weight) < 0:
            raise ValueError("the weights of the losses have to be 0 or more")


class _LandmarkTraining(TrainedModule):
    """What both trainings share.

    Args:
        network: The branch.
        optim: Its optimiser.
        images_dir: Where curves and films of validation go.
        preview: A clip of which a film is made after each epoch.
    """

    def __init__(
        self, network: torch.nn.Module, optim: OptimOptions, images_dir: Path, preview: LandmarkPreview | None = None
    ):
        super().__init__(network, optim)
        self.images_dir, self.preview = images_dir, preview

    def predict(self, piece: dict[str, torch.Tensor], sound: str = "au") -> torch.Tensor:
        """Predict the landmarks (N, 204) of a piece from one of its sounds."""
        raise NotImplementedError

    def _losses(self, pieces: list[dict], predicted: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """``loss`` and its parts, means over the pieces."""
        raise NotImplementedError

    def validation_step(self, batch, index):
        """Whole clips, each also with another clip's sound."""
        predicted = [self.predict(piece) for piece in batch]
        values = self._losses(batch, predicted)
        curves = [
            [_opening(x) for x in (piece["landmarks"], made, self.predict(piece, "control"))]
            for piece, made in zip(batch, predicted, strict=True)
        ]
        for name, column in (("lip_correlation", 1), ("lip_correlation_control", 2)):
            values[name] = torch.tensor(float(np.mean([_correlation(clip[0], clip[column]) for clip in curves])))
        values["lip_motion"] = torch.tensor(float(np.mean([_motion(real, made) for real, made, _ in curves])))
        self._log("valid", values, len(batch))
        if index == 0 and self.trainer.is_global_zero:
            name = self.images_dir / f"{self.current_epoch + 1}epoch"
            save_curves(name.with_suffix(".png"), curves, self.logger.experiment, self.current_epoch)
            if self.preview:
                self.preview.save(name.with_suffix(".mp4"), batch[0]["landmarks"], predicted[0])


def _opening(landmarks: torch.Tensor) -> np.ndarray:
    """Lip opening (N,) of landmarks (N, 204), in their unit."""
    points = landmarks.detach().float().cpu().numpy().reshape(-1, 68, 3)
    return lip_opening(points, np.broadcast_to([0.0, 0.0, 1.0, 1.0], (len(points), 4)))


def _correlation(real: np.ndarray, made: np.ndarray) -> float:
    """Pearson correlation over the common length."""
    length = min(len(real), len(made))
    return pearson(real[:length], made[:length])


def _motion(real: np.ndarray, made: np.ndarray) -> float:
    """How much the lips move, over how much they should; 1 is right."""
    return float(np.std(made) / max(np.std(real), 1e-6))


class ContentTraining(_LandmarkTraining):
    """The content branch learns the face with the head held still."""

    def __init__(self, *args, loss: ContentLossOptions, **others):
        super().__init__(*args, **others)
        self.loss = loss

    def predict(self, piece: dict[str, torch.Tensor], sound: str = "au") -> torch.Tensor:
        """Predict the landmarks (N, 204) of a piece."""
        return self.network(piece[sound], piece["face"][None]) + piece["face"]

    def _losses(self, pieces: list[dict], predicted: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        options = {"laplacian": self.loss.laplacian, "motion": self.loss.motion}
        losses = [
            content_loss(made, piece["landmarks"], **options) for piece, made in zip(pieces, predicted, strict=True)
        ]
        distances = [(made - piece["landmarks"]).abs().mean() for piece, made in zip(pieces, predicted, strict=True)]
        return {"loss": torch.stack(losses).mean(), "l1": torch.stack(distances).mean()}

    def training_step(self, batch, index):
        """One batch; its windows go through the network together, for the sake of batch normalisation."""
        counts = [len(piece["landmarks"]) for piece in batch]
        sound = torch.cat([piece["au"] for piece in batch])
        face = torch.cat([piece["face"].expand(count, -1) for piece, count in zip(batch, counts, strict=True)])
        values = self._losses(batch, (self.network(sound, face) + face).float().split(counts))
        self._log("train", values, len(batch))
        return values["loss"]

    def _advice(self) -> str | None:
        return content_advice(
            self.current_epoch + 1, self._metric("valid/lip_correlation"), self._metric("valid/lip_correlation_control")
        )


def content_advice(epoch: int, correlation: float | None, control: float | None) -> str | None:
    """Say what to look at when the lips do not follow the sound.

    Args:
        epoch: How many epochs there were.
        correlation: Of predicted and real lip opening on held-out clips; None: there is no validation.
        control: The same with another clip's sound.

    Returns:
        A sentence; None: all is well.
    """
    if correlation is None or control is None or epoch < PATIENCE or correlation > control + ABOVE_CONTROL:
        return None
    return (
        f"after {epoch} epochs the lips follow the right sound hardly better ({correlation:.2f}) than another clip's"
        f" ({control:.2f}): look at (1) the offsets of stage 4 (sound and picture in step?), (2) AutoVC: its pictures"
        " show whether what is said survives it, (3) the number of clips: with few, train longer or with data.noise"
    )


class SpeakerTraining(_LandmarkTraining):
    """The speaker-aware branch learns the face with its head's motion, and the head's pose beside it."""

    def __init__(self, *args, loss: SpeakerLossOptions, **others):
        super().__init__(*args, **others)
        self.loss = loss

    def predict(self, piece: dict[str, torch.Tensor], sound: str = "au") -> torch.Tensor:
        """Predict the landmarks (N, 204) of a piece."""
        return self.network(piece[sound], EMBEDDING_SCALE * piece["embedding"][None]) + piece["face"]

    def _predict_with_pose(self, piece: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Landmarks (N, 204) and pose (N, 7); None where no pose is wanted."""
        if not self.loss.pose_weight:
            return self.predict(piece), None
        moved, pose = self.network.with_pose(piece["au"], EMBEDDING_SCALE * piece["embedding"][None])
        return moved + piece["face"], pose

    def _losses(self, pieces: list[dict], predicted: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        return self._weighted(pieces, predicted, [None] * len(pieces))

    def _weighted(self, pieces: list[dict], predicted: list[torch.Tensor], poses: list) -> dict[str, torch.Tensor]:
        """``loss`` and its parts, means over the pieces."""
        parts = []
        for piece, made, pose in zip(pieces, predicted, poses, strict=True):
            again = piece["face"] if self.loss.face_twice else torch.zeros_like(piece["face"])
            values = speaker_losses(made, piece["landmarks"], again, pose, piece["pose"])
            weights = {"laplacian": self.loss.laplacian_weight, "pose": self.loss.pose_weight}
            total = values["l1"] + sum(weight * values[name] for name, weight in weights.items() if name in values)
            parts.append({"loss": total, **values})
        return {name: torch.stack([values[name] for values in parts]).mean() for name in parts[0]}

    def _step(self, pieces: list[dict]) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
        """The losses of a batch, and what was predicted."""
        predicted, poses = zip(*(self._predict_with_pose(piece) for piece in pieces), strict=True)
        return self._weighted(pieces, predicted, poses), list(predicted)

    def training_step(self, batch, index):
        """One batch."""
        values, _ = self._step(batch)
        self._log("train", values, len(batch))
        return values["loss"]

    def validation_step(self, batch, index):
        """Beside the lips: is it nearer than a face that never moves?"""
        super().validation_step(batch, index)
        still = [(piece["face"] - piece["landmarks"]).abs().mean() for piece in batch]
        self._log("valid", {"l1_still": torch.stack(still).mean()}, len(batch))

    def _advice(self) -> str | None:
        return speaker_advice(self.current_epoch + 1, self._metric("valid/l1"), self._metric("valid/l1_still"))


def speaker_advice(epoch: int, distance: float | None, still: float | None) -> str | None:
    """Say what to look at when the speaker-aware branch knows no more than a face at rest.

    Args:
        epoch: How many epochs there were.
        distance: L1 distance of predicted and real landmarks on held-out clips; None: there is no validation.
        still: The same of the face at rest.

    Returns:
        A sentence; None: all is well.
    """
    if distance is None or still is None or epoch < PATIENCE or distance < still:
        return None
    return (
        f"after {epoch} epochs the predicted face is no nearer to the real one ({distance:.4f}) than a face that never"
        f" moves ({still:.4f}): train on more clips or with a lower optim.lr; the head of a speaker that is not in the"
        " training set may move in another way altogether"
    )


class SpeakerGanTraining(ManualSteps, SpeakerTraining):
    """The same against two discriminators, of single faces (the paper's D_L) and of movements (D_T), least squares.

    They learn after each step of the branch from the same pieces.

    Args:
        **others: As for ``SpeakerTraining`` and ``ManualSteps``.
    """

    def __init__(self, *args, **others):
        super().__init__(*args, **others)
        options = self.network.options
        self.discriminators = torch.nn.ModuleDict(
            {
                "landmark": LandmarkDiscriminator(),
                "movement": TransformerDiscriminator(
                    options["spk_emb_enc_size"], self.loss.discriminator_window, self.loss.discriminator_step,
                    *(options[name] for name in ("d_model", "layers", "heads", "ff_size")),
                ),
            }
        )  # fmt: skip

    def configure_optimizers(self):
        """One Adam for the branch, one for both discriminators."""
        return self._adams([self.network, self.discriminators])

    def _scores(self, piece: dict, landmarks: torch.Tensor) -> list[torch.Tensor]:
        """Both discriminators' scores of landmarks (N, 204)."""
        with torch.no_grad():  # who speaks is given, not learnt from them
            speaker = self.network.spk_emb_encoder(EMBEDDING_SCALE * piece["embedding"][None])
        return [self.discriminators["landmark"](landmarks), self.discriminators["movement"](landmarks, speaker)]

    def _least_squares(self, pieces: list[dict], faces: list[torch.Tensor], label: float) -> torch.Tensor:
        """LSGAN's loss of faces that are to be taken for ``label``: 1 for real and 0 for made."""
        scores = [score for pair in zip(pieces, faces, strict=True) for score in self._scores(*pair)]
        return torch.stack([least_squares(score, label) for score in scores]).mean()

    def training_step(self, batch, index):
        """One batch for all networks."""
        branch, discriminators = self.optimizers()
        self.toggle_optimizer(branch)
        values, predicted = self._step(batch)
        values["adversarial"] = self._least_squares(batch, predicted, 1.0)
        counts = self.global_step // 2 >= self.loss.adversarial_from
        loss = values["loss"] + (self.loss.adversarial_weight if counts else 0.0) * values["adversarial"]
        self._descend(branch, loss, index)
        self.untoggle_optimizer(branch)

        self.toggle_optimizer(discriminators)
        values["disc_real"] = self._least_squares(batch, [piece["landmarks"] for piece in batch], 1.0)
        values["disc_fake"] = self._least_squares(batch, [made.detach() for made in predicted], 0.0)
        self._descend(discriminators, (values["disc_real"] + values["disc_fake"]) / 2, index)
        self.untoggle_optimizer(discriminators)
        self._log("train", {**values, "loss": loss}, len(batch))
        return {"loss": loss.detach()}
