"""From sound to landmarks: both branches, joined, without a jump and without losing a frame.

Sound and landmarks have 62.5 frames per second. Long sound goes through the
networks in pieces of at most 512 windows (8.2 s), what comes out can be had
block by block, and it is the same either way.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import nn

from silvertalk.makeittalk.checkpoint import load_network
from silvertalk.makeittalk.geometry import (
    amplify_lips,
    blink_blocks,
    calibrate,
    close_lips,
    fix_inverse_lips,
    savgol,
    smooth,
    straighten_nose,
)
from silvertalk.makeittalk.networks import MAX_LENGTH, WINDOW
from silvertalk.makeittalk.options import AnimationOptions

EMBEDDING_SCALE = 3  # what the published speaker branch is given of an embedding
SPEAKER_WINDOW = 31  # frames over which its movement is smoothed
FADE = 32  # frames in which a piece passes into the next, 0.5 s
SHORTEST = 10  # windows; the published code drops what is shorter


class AudioToLandmarks:
    """Move a face by a voice.

    Args:
        content: ``ContentBranch``: a network, experiment folder or file.
        speaker: ``SpeakerBranch``, likewise; None: only what is said moves the face.
        device: Where they run.

    Raises:
        FileNotFoundError: No such folder or file.
        ValueError: It holds another network.
    """

    def __init__(
        self,
        content: nn.Module | str | os.PathLike,
        speaker: nn.Module | str | os.PathLike | None,
        device: str = "cpu",
    ):
        self.device = torch.device(device)
        self.content = self._take(content, "ContentBranch")
        self.speaker = None if speaker is None else self._take(speaker, "SpeakerBranch")

    def _take(self, source: nn.Module | str | os.PathLike, kind: str) -> nn.Module:
        network = source if isinstance(source, nn.Module) else load_network(source, kind)
        return network.to(self.device).eval()

    def __call__(
        self, au: np.ndarray, embedding: np.ndarray, face: np.ndarray, options: AnimationOptions = AnimationOptions()
    ) -> np.ndarray:
        """Move a face.

        Args:
            au: (T, 80) converted mel, normalised.
            embedding: (256,) of the speaker.
            face: (68, 3) normalised, at rest.
            options: How it moves. (Mouth and eyes of the photo are others' affair, see ``finish``.)

        Returns:
            (T, 204) float32 normalised landmarks; published: (T - 18, 204), or fewer.

        Raises:
            ValueError: Another shape, something that is no number, or too little sound.
        """
        return np.concatenate(list(self.stream(au, embedding, face, options)))

    def stream(
        self,
        au: np.ndarray,
        embedding: np.ndarray,
        face: np.ndarray,
        options: AnimationOptions = AnimationOptions(),
        speaking: np.ndarray | None = None,
        num_frames: int | None = None,
    ) -> Iterator[np.ndarray]:
        """Do what calling does, block by block; of blocks no more are taken, and held, than the next piece needs.

        Args:
            au: See calling; or blocks (n, 80) of it, of any lengths.
            embedding: See calling.
            face: Likewise.
            options: Likewise.
            speaking: (T,), 1 where somebody speaks and 0 where not: what is said rests there. None: 1 everywhere.
            num_frames: T, if ``au`` comes in blocks.

        Yields:
            (n, 204) float32.

        Raises:
            ValueError: See calling; or the blocks end before ``num_frames``.
        """
        for given, shape, name in ((embedding, (256,), "embedding"), (face, (68, 3), "face")):
            _check(given, shape, name)
        if num_frames is None:
            au, num_frames = [au], len(au)
        if options.published and num_frames < WINDOW + SHORTEST:
            raise ValueError(
                f"sound of {num_frames} frames is too short for the published way; give {WINDOW + SHORTEST}"
            )
        cut = _pieces(num_frames - WINDOW if options.published else num_frames, options.published)
        heard = _spans(_followed(au, num_frames), [(start, end + WINDOW - 1) for start, end in cut])
        share = np.ones(num_frames, np.float32) if speaking is None else np.asarray(speaking, np.float32)
        pieces = ((start, self._move(part, embedding, face, options, share[start:end]))
                  for (start, end), part in zip(cut, heard, strict=True))  # fmt: skip
        joined = _cross_fade(pieces)
        smoothed = _in_context((straighten_nose(block) for block in joined), lambda x: savgol(x, 5), 2)
        for block in smoothed:
            yield block.reshape(-1, 204).astype(np.float32)

    @torch.inference_mode()
    def _move(
        self, au: np.ndarray, embedding: np.ndarray, face: np.ndarray, options: AnimationOptions, speaking: np.ndarray
    ):
        """Landmarks (N, 68, 3) of a piece (N + 17, 80), in which somebody speaks (N,)."""
        windows = torch.from_numpy(np.array(au, np.float32)).unfold(0, WINDOW, 1).transpose(1, 2).to(self.device)
        rest = torch.from_numpy(np.array(face, np.float32)).to(self.device).reshape(1, -1)
        said = _points(self.content(windows, rest))
        said = amplify_lips(calibrate(said), options.amp_lip_x, options.amp_lip_y) * speaking[:, None, None]
        moved = face.astype(np.float32) + said
        if self.speaker is not None and options.amp_pos:
            voice = EMBEDDING_SCALE * torch.from_numpy(np.array(embedding, np.float32)).to(self.device)[None]
            manner = savgol(_points(self.speaker(windows, voice)), SPEAKER_WINDOW)
            moved = moved + options.amp_pos * close_lips(manner)
        return fix_inverse_lips(moved)


def finish(
    blocks: Iterable[np.ndarray], options: AnimationOptions, face_window: int = 15, mouth_window: int = 5
) -> Iterator[np.ndarray]:
    """Let landmarks blink, if they are to, and smooth them over time; normalised ones or pixels.

    Args:
        blocks: (n, 204) or (n, 68, 3) each, as ``AudioToLandmarks.stream`` gives them.
        options: Blinks or not.
        face_window: See ``geometry.smooth``.
        mouth_window: Likewise.

    Yields:
        (n, 68, 3); together as many frames as were given.
    """
    blocks = (np.asarray(block).reshape(-1, 68, 3) for block in blocks)
    blinking = blink_blocks(blocks, options.seed) if options.blink else blocks
    margin = max(face_window, mouth_window) // 2
    return _in_context(blinking, lambda x: smooth(x, face_window, mouth_window), margin)


def _pieces(total: int, published: bool) -> list[tuple[int, int]]:
    """Cut windows into pieces (start, end) of at most 512: ours are alike and overlap."""
    if published:
        cut = [(start, min(start + MAX_LENGTH, total)) for start in range(0, total, MAX_LENGTH)]
        return [(start, end) for start, end in cut if end - start >= SHORTEST]
    count = max(1, math.ceil((total - FADE) / (MAX_LENGTH - FADE)))
    length = math.ceil((total + (count - 1) * FADE) / count)
    return [(start, start + length) for start in np.linspace(0, total - length, count).round().astype(int)]


def _followed(blocks: Iterable[np.ndarray], num_frames: int) -> Iterator[np.ndarray]:
    """Check blocks (n, 80) of ``num_frames`` in all, and hold the last frame so that its window is whole."""
    seen = 0
    for block in blocks:
        _check(block, (None, 80), "au")
        yield block
        seen += len(block)
        last = block[-1:]
    if seen != num_frames:
        raise ValueError(f"au has {seen} frames, not the {num_frames} that were said")
    yield np.repeat(last, WINDOW, 0)


def _spans(blocks: Iterator[np.ndarray], spans: Iterable[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Rows (start, end) of a sequence in blocks, one span after another; none begins behind the end of the last."""
    held, first = next(blocks), 0  # the rows from ``first`` on
    for start, end in spans:
        held, first = held[start - first :], start
        while len(held) < end - start:
            held = np.concatenate([held, next(blocks)])
        yield held[: end - start]


def _cross_fade(pieces: Iterable[tuple[int, np.ndarray]]) -> Iterator[np.ndarray]:
    """Join pieces (start, frames), each passing linearly into the next where they overlap."""
    first, held = 0, None  # held: frames from ``first`` on
    for start, piece in pieces:
        if held is not None:
            overlap = first + len(held) - start
            share = (np.arange(1, overlap + 1) / (overlap + 1))[:, None, None].astype(piece.dtype)
            piece[:overlap] = share * piece[:overlap] + (1 - share) * held[len(held) - overlap :]
            yield held[: len(held) - overlap]
        first, held = start, piece
    yield held


def _in_context(
    blocks: Iterable[np.ndarray], function: Callable[[np.ndarray], np.ndarray], margin: int
) -> Iterator[np.ndarray]:
    """Apply to a sequence in blocks a function whose frames look at ``margin`` neighbours on either side.

    At its ends the function may look at ``2 * margin + 1`` frames.
    """
    held, done = None, 0  # the frames of ``held`` before ``done`` are only looked at
    for block in blocks:
        held = block if held is None else np.concatenate([held, block])
        ready = len(held) - margin
        if ready > max(done, margin):
            yield function(held)[done:ready]
            start = max(0, ready - margin - 1)
            held, done = held[start:], ready - start
    if held is not None:
        yield function(held)[done:]


def _points(displacement: torch.Tensor) -> np.ndarray:
    """(N, 204) -> (N, 68, 3)."""
    return displacement.float().cpu().numpy().reshape(-1, 68, 3)


def _check(given: np.ndarray, shape: tuple, name: str) -> None:
    """Refuse what the networks cannot make sense of."""
    fits = given.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, given.shape, strict=True))
    if not fits or not len(given):
        raise ValueError(f"{name} has shape {given.shape}, not {tuple(n or 'frames' for n in shape)}")
    if not np.isfinite(given).all():
        raise ValueError(f"{name} holds something that is no number; look at the sound and the statistics it came from")
