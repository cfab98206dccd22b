"""How a face moves with a sound: what photos and drawings have in common.

Sound flows in pieces through voice conversion, landmarks come in blocks, and no piece is converted before it is
needed; only the sound itself, 16 bits, is held for its whole length.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from silvertalk.makeittalk.checkpoint import load_network
from silvertalk.makeittalk.options import MotionOptions
from silvertalk.makeittalk.portrait.animate import AudioToLandmarks, finish
from silvertalk.makeittalk.published.pickles import read_embeddings
from silvertalk.makeittalk.sound import (
    FRAMES_PER_SECOND,
    SoundFeatures,
    autovc_mel,
    f0_bins,
    filter_wav,
    match_level,
)
from silvertalk.makeittalk.statistics import Statistics
from silvertalk.media import read_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.speaker import speaker_embedding, to_pcm
from silvertalk.media.speech import drive_sound

HOP = 256  # samples of a frame of landmarks
PIECE = 3750  # frames of sound converted at a time, 60 s
CONTEXT = 64  # frames, 1 s, heard before and after a piece; the filter and the network have forgotten what is further
VOICE_SECONDS = 60  # of the sound that say who speaks
REST_SECONDS = 0.24  # in which a piece of a stream leaves its rest, and comes back to it
EDGE = 4  # frames, half of 0.14 s, in which the lips come to rest in silence


class Motion:
    """The networks of stages 11 to 13, from a sound to landmarks; ``name`` is that of the content branch.

    Args:
        autovc: Takes the speaker out of a sound: experiment folder, (published) checkpoint, or network.
        content: Moves the lips; likewise.
        speaker: Moves face and head; likewise.
        statistics: What stage 11 measured: its file or folder, a copy of the published code, or ``Statistics``;
            None: those beside the content branch.
        device: Torch device.

    Raises:
        FileNotFoundError: Something of this is not there.
        ValueError: Another network, or networks in memory without statistics.
    """

    def __init__(self, autovc, content, speaker, statistics=None, device: str = "cpu"):
        self.statistics = _statistics(statistics, content)
        self.features = SoundFeatures(_load(autovc, "AutoVC"), self.statistics.target_embedding, device)
        branches = _load(content, "ContentBranch"), _load(speaker, "SpeakerBranch")
        self.animator = AudioToLandmarks(*branches, device=device)
        self.name = Path(content).name if isinstance(content, str | os.PathLike) else type(content).__name__

    def landmarks(
        self,
        face: np.ndarray,
        wav: np.ndarray,
        options: MotionOptions,
        face_window: int = 15,
        mouth_window: int = 5,
    ) -> Iterator[np.ndarray]:
        """Move a face with a sound.

        Args:
            face: (68, 3) normalised, at rest.
            wav: 16 kHz sound, float (N,) in [-1, 1]; float32 is written over.
            options: How it moves.
            face_window: Frames over which it is smoothed, see ``geometry.smooth``.
            mouth_window: Likewise.

        Yields:
            (n, 68, 3) normalised, 62.5 frames a second in all.
        """
        embedding = _speaker(wav, options.reuse_speaker)
        wav = np.asarray(wav, np.float32)
        wav = _at_least_a_window(drive_sound(wav, options.gate, level=False, out=wav))
        share = speaking(wav)
        au = map(self.statistics.normalise, self._contents(wav))
        del wav  # an hour of it is 230 MB; nobody needs it once it has 16 bits
        moved = self.animator.stream(au, embedding, face, options, share, len(share))
        yield from finish(moved, options, face_window, mouth_window)

    def _contents(self, wav: np.ndarray) -> Iterator[np.ndarray]:
        """Convert a sound to the target voice in pieces: (n, 80) each, ``1 + len(wav) // 256`` in all."""
        pcm = match_level(to_pcm(wav))
        del wav
        embedding = speaker_embedding((pcm[: VOICE_SECONDS * SAMPLING_RATE] / 32768).astype(np.float32))
        total = 1 + len(pcm) // HOP
        for first in range(0, total, PIECE):
            last = min(first + PIECE, total)
            before = max(0, first - CONTEXT)
            filtered = filter_wav(pcm[before * HOP : (last + CONTEXT) * HOP])
            content = self.features.convert(autovc_mel(filtered), f0_bins(filtered), embedding)
            yield content[first - before : last - before]


def at_rate(blocks: Iterable[np.ndarray], fps: float, num_frames: int) -> Iterator[np.ndarray]:
    """Take landmarks at another rate, on a line between their neighbours; the last ones are held.

    Args:
        blocks: (n, 68, 3) each, 62.5 a second.
        fps: Wanted frames per second.
        num_frames: How many.

    Yields:
        (68, 3).
    """
    blocks = iter(blocks)
    rows, first, ended = np.zeros((0, 68, 3)), 0, False  # rows in memory, and the number of the first of them
    for number in range(num_frames):
        place = number * FRAMES_PER_SECOND / fps
        low = int(place)
        while first + len(rows) < low + 2 and not ended:
            block = next(blocks, None)
            ended = block is None
            if not ended:
                kept = rows[max(0, min(low - first, len(rows) - 1)) :] if len(rows) else rows
                first += len(rows) - len(kept)
                rows = np.concatenate([kept, block])
        last = len(rows) - 1
        a, b = rows[min(low - first, last)], rows[min(low - first + 1, last)]
        yield a + (place - low) * (b - a)


def from_rest_to_rest(frames: Iterable[np.ndarray], rest: np.ndarray, num_frames: int, fps: float):
    """Let a movement begin and end at rest, so that pieces of a stream follow one another without a jump.

    Args:
        frames: Landmarks (68, 3) of each frame.
        rest: Likewise, of the face at rest.
        num_frames: How many.
        fps: Frames per second.

    Yields:
        (68, 3).
    """
    ramp = max(1.0, REST_SECONDS * fps)
    for number, points in enumerate(frames):
        share = min(1.0, number / ramp, (num_frames - 1 - number) / ramp)
        yield rest + share * share * (3 - 2 * share) * (points - rest)


def speaking(wav: np.ndarray) -> np.ndarray:
    """Say at which landmark frames a 16 kHz sound is not digital silence: float (1 + T // 256,), with soft edges."""
    hops = np.pad(wav != 0, (0, HOP - len(wav) % HOP)).reshape(-1, HOP).any(axis=1)
    return np.convolve(np.pad(hops.astype(np.float32), EDGE, mode="edge"), np.ones(2 * EDGE + 1), "valid") / (
        2 * EDGE + 1
    )


def _speaker(wav: np.ndarray, reused: str | None) -> np.ndarray:
    """Embedding (256,) of whoever's manner the head moves in."""
    if not reused:
        return speaker_embedding(wav[: VOICE_SECONDS * SAMPLING_RATE])
    path, colon, name = reused.rpartition(":")
    if colon and path.endswith(".pickle"):
        if not Path(path).is_file():
            raise FileNotFoundError(f"no {path}; give --reuse_speaker a sound file, or emb.pickle:NAME")
        known = read_embeddings(Path(path))
        if name not in known:
            raise ValueError(f"{path}: has no speaker '{name}'; it has {', '.join(map(str, sorted(known)[:10]))}")
        return np.asarray(known[name], np.float32).reshape(-1)
    return speaker_embedding(read_audio(reused, SAMPLING_RATE, end=VOICE_SECONDS)[0])


def _at_least_a_window(wav: np.ndarray) -> np.ndarray:
    """Follow a very short sound with silence."""
    shortest = SAMPLING_RATE // 2
    return wav if len(wav) >= shortest else np.pad(wav, (0, shortest - len(wav)))


def _load(source, kind: str):
    """The network, or the one that is found where ``source`` says."""
    return load_network(source, kind) if isinstance(source, str | os.PathLike) else source


def _statistics(source, content) -> Statistics:
    """The statistics that were given, or those beside the content branch."""
    if isinstance(source, Statistics):
        return source
    if source is None:
        if not isinstance(content, str | os.PathLike):
            raise ValueError("networks in memory come without statistics; give them, too")
        source = content if Path(content).is_dir() else Path(content).parent
    return Statistics.load(source)
