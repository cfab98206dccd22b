"""The SyncNet of the LSE metrics, its MFCC front end and its distances.

Chung and Zisserman, "Out of time: automated lip sync in the wild", ACCV-W
2016, in the form published at github.com/joonson/syncnet_python (weights
``syncnet_v2.model``). LSE-D and LSE-C of Prajwal et al. (ACM MM 2020) are its
smallest mean distance and the median less the smallest. Layer numbers and
shapes are those of the published file.

Five frames of a face (224 x 224, BGR, 0 to 255) and 0.2 s of sound (20 MFCC
columns at 100 a second) give 1024 numbers each; the network judges synchrony by
their Euclidean distance.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.fft import dct
from scipy.signal import medfilt
from torch import nn

from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.timing import SAMPLES_PER_FRAME
from silvertalk.syncnet.windows import SYNCNET_T
from silvertalk.training.weights import load_state, read_weights

IMG_SIZE = 224  # pixels
EMBEDDING = 1024
VSHIFT = 15  # frames, 0.6 s
MFCC_PER_FRAME, MFCC_WINDOW = 4, 20  # columns of 10 ms
BATCH_SIZE = 20  # windows at a time, as published; 90 MB of activations
SMOOTHED_FRAMES = 9  # of the framewise confidence
PATTERN = "*syncnet_v2*"
# Constants of python_speech_features 0.6, with which the network was trained.
FRAME_LENGTH, FRAME_STEP, N_FFT = 400, 160, 512  # samples: 25 ms, 10 ms
N_FILTERS, N_MFCC, LIFTER, PREEMPHASIS = 26, 13, 22, 0.97
FRAMES_AT_ONCE = 4096  # 41 s: some 30 MB of temporaries


class SyncNetV2(nn.Module):
    """Embeds a face and its sound.

    The lip layers see time in the first convolution only, so a run of frames
    is embedded in one pass: T frames give T - 4 windows.
    """

    def __init__(self):
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_conv(nn.Conv2d, 1, 64, 3, padding=1),
            nn.MaxPool2d(1, 1),
            *_conv(nn.Conv2d, 64, 192, 3, padding=1),
            nn.MaxPool2d(3, (1, 2)),
            *_conv(nn.Conv2d, 192, 384, 3, padding=1),
            *_conv(nn.Conv2d, 384, 256, 3, padding=1),
            *_conv(nn.Conv2d, 256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2),
            *_conv(nn.Conv2d, 256, 512, (5, 4)),
        )
        self.netfcaud = _head()
        self.netfclip = _head()
        same = {"kernel_size": (1, 3, 3), "padding": (0, 1, 1)}
        self.netcnnlip = nn.Sequential(
            *_conv(nn.Conv3d, 3, 96, (5, 7, 7), stride=(1, 2, 2)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_conv(nn.Conv3d, 96, 256, (1, 5, 5), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), padding=(0, 1, 1)),
            *_conv(nn.Conv3d, 256, 256, **same),
            *_conv(nn.Conv3d, 256, 256, **same),
            *_conv(nn.Conv3d, 256, 256, **same),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_conv(nn.Conv3d, 256, 512, (1, 6, 6)),
        )

    def embed_audio(self, mfcc: torch.Tensor) -> torch.Tensor:
        """Embed sound: (B, 1, 13, 20) -> (B, 1024)."""
        return self.netfcaud(self.netcnnaud(mfcc).flatten(1))

    def lip_features(self, frames: torch.Tensor) -> torch.Tensor:
        """Describe faces: (B, 3, T, 224, 224), BGR 0 to 255 -> (B * (T - 4), 512), the windows of a clip in order."""
        return self.netcnnlip(frames).flatten(2).transpose(1, 2).flatten(0, 1)

    def embed_lips(self, frames: torch.Tensor) -> torch.Tensor:
        """Embed faces: (B, 3, T, 224, 224), BGR 0 to 255 -> (B * (T - 4), 1024)."""
        return self.netfclip(self.lip_features(frames))


def _conv(kind: type[nn.Module], c_in: int, c_out: int, kernel_size, **kwargs) -> tuple[nn.Module, ...]:
    """Convolution, batch norm and ReLU; their places in the sequence are part of the checkpoint's keys."""
    norm = nn.BatchNorm2d if kind is nn.Conv2d else nn.BatchNorm3d
    return kind(c_in, c_out, kernel_size, **kwargs), norm(c_out), nn.ReLU()


def _head() -> nn.Sequential:
    """Features (B, 512) -> embedding (B, 1024)."""
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, EMBEDDING))


def find_syncnet_v2(source: str | os.PathLike | None) -> Path | None:
    """Find the published weights.

    Args:
        source: ``syncnet_v2.model``, or a folder that holds it at any depth.

    Returns:
        The file; None where nothing was named or the folder has no such file.

    Raises:
        FileNotFoundError: Neither a file nor a folder.
    """
    if source is None:
        return None
    source = Path(source)
    if source.is_dir():
        return min((path for path in source.rglob(PATTERN) if path.is_file()), default=None)
    if not source.is_file():
        raise FileNotFoundError(
            f"no {source}; LSE-D and LSE-C need syncnet_v2.model, whose address is in download_model.sh of "
            "github.com/joonson/syncnet_python. All other measures work without it"
        )
    return source


def load_syncnet_v2(path: str | os.PathLike, device: str = "cpu") -> SyncNetV2:
    """Load the published weights (a bare state dict), in eval mode.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Weights of another network; names the first key that does not fit.
    """
    return load_state(SyncNetV2(), read_weights(path)[0], str(path)).float().eval().to(device)


@dataclass
class LipSyncError:
    """What the distances of a clip say."""

    lse_d: float  # LSE-D, smallest mean distance, lower is better
    lse_c: float  # LSE-C, median less smallest mean distance, higher is better
    offset: int  # frames; positive: the sound is late (the published tool gives the negative)
    framewise: np.ndarray  # (N,) confidence of each window, median-filtered
    curve: np.ndarray  # (2 K + 1,) mean distance; entry K + k pairs the lips of window n with the sound of n + k


def lip_sync_error(
    network: SyncNetV2, frames: Iterable[np.ndarray], wav: np.ndarray, vshift: int = VSHIFT
) -> LipSyncError:
    """Measure a clip.

    Args:
        network: In eval mode.
        frames: uint8 BGR (224, 224, 3) at 25 fps; read once, 24 held at a time.
        wav: 16 kHz sound, float (T,) in [-1, 1].
        vshift: Largest offset, frames.

    Raises:
        ValueError: Fewer than 6 frames or 0.24 s of sound.
    """
    return read_distances(distances(*embed(network, frames, wav), vshift))


def embed(
    network: SyncNetV2, frames: Iterable[np.ndarray], wav: np.ndarray, batch_size: int = BATCH_SIZE
) -> tuple[np.ndarray, np.ndarray]:
    """Embed every window of a clip; see ``lip_sync_error``.

    Args:
        network: In eval mode.
        frames: uint8 BGR (224, 224, 3) at 25 fps.
        wav: 16 kHz sound, float (T,) in [-1, 1].
        batch_size: Windows at a time.

    Returns:
        Audio and lip embeddings, float32 (N, 1024) each, N = min(frames, samples // 640) - 5;
        window n is frames n..n+4.
    """
    device = next(network.parameters()).device
    sounding = len(wav) // SAMPLES_PER_FRAME
    video, count = [], 0
    with torch.inference_mode():
        for batch, fresh in _runs(itertools.islice(frames, sounding), batch_size):
            count += fresh
            if len(batch) >= SYNCNET_T:
                pictures = torch.from_numpy(batch).to(device).permute(3, 0, 1, 2)[None].float()
                video.append(network.embed_lips(pictures).cpu().numpy())
        windows = count - SYNCNET_T
        if windows < 1:
            raise ValueError(
                f"{count} frames with sound hold no window of SyncNet; it needs {SYNCNET_T + 1} frames and 0.24 s"
            )
        columns = torch.from_numpy(mfcc(np.rint(np.asarray(wav, np.float64) * 32768))).float().to(device)
        audio = []
        for first in range(0, windows, batch_size):
            starts = [MFCC_PER_FRAME * n for n in range(first, min(first + batch_size, windows))]
            sound = torch.stack([columns[start : start + MFCC_WINDOW].T[None] for start in starts])
            audio.append(network.embed_audio(sound).cpu().numpy())
    return np.concatenate(audio), np.concatenate(video)[:windows]


def _runs(frames: Iterator[np.ndarray], batch_size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Group frames so that each run holds ``batch_size`` new windows: (uint8 (T, H, W, 3), its new frames)."""
    kept: list[np.ndarray] = []
    while fresh := list(itertools.islice(frames, batch_size)):
        run = kept + fresh
        yield np.stack(run), len(fresh)
        kept = run[-(SYNCNET_T - 1) :]


def distances(audio: np.ndarray, video: np.ndarray, vshift: int = VSHIFT) -> np.ndarray:
    """Distances of lips and sound at every offset.

    Args:
        audio: (N, D).
        video: (N, D).
        vshift: Largest offset, frames; sound beyond the ends counts as zeros, as published.

    Returns:
        (N, 2 * vshift + 1); entry (n, vshift + k) pairs the lips of window n with the sound of window n + k.
    """
    padded = np.pad(audio, ((vshift, vshift), (0, 0)))
    columns = range(2 * vshift + 1)
    # The published code uses torch's pairwise_distance, which adds 1e-6 to every difference.
    return np.stack([np.linalg.norm(video - padded[k : k + len(video)] + 1e-6, axis=1) for k in columns], axis=1)


def read_distances(table: np.ndarray) -> LipSyncError:
    """Read LSE-D, LSE-C, offset and framewise confidence from (N, 2 K + 1) distances."""
    curve = table.mean(axis=0)
    best = int(np.argmin(curve))
    median = np.median(curve)
    beyond = SMOOTHED_FRAMES // 2  # zeros, as the filter itself takes them; it warns of clips shorter than itself
    framewise = medfilt(np.pad((median - table[:, best]).astype(np.float64), beyond), SMOOTHED_FRAMES)[beyond:-beyond]
    return LipSyncError(float(curve[best]), float(median - curve[best]), best - len(curve) // 2, framewise, curve)


def mfcc(samples: np.ndarray) -> np.ndarray:
    """Compute MFCCs, equal to ``python_speech_features.mfcc`` with its defaults at 16 kHz.

    Davis and Mermelstein (IEEE TASSP 1980), with a sine lifter, no window
    function, and the logarithm of the energy in place of the first coefficient.

    Args:
        samples: (T,), 16 kHz, in the range of int16.

    Returns:
        float64 (frames, 13), 100 frames a second; the last frame is filled up with zeros.
    """
    samples = np.asarray(samples, np.float64)
    count = 1 + max(0, -(-(len(samples) - FRAME_LENGTH) // FRAME_STEP))
    emphasised = np.append(samples[:1], samples[1:] - PREEMPHASIS * samples[:-1])
    missing = (count - 1) * FRAME_STEP + FRAME_LENGTH - len(emphasised)
    framed = np.lib.stride_tricks.sliding_window_view(np.pad(emphasised, (0, max(0, missing))), FRAME_LENGTH)
    framed = framed[::FRAME_STEP][:count]
    return np.concatenate([_cepstra(framed[k : k + FRAMES_AT_ONCE]) for k in range(0, count, FRAMES_AT_ONCE)])


def _cepstra(framed: np.ndarray) -> np.ndarray:
    """Frames (N, 400) -> coefficients (N, 13)."""
    tiny = np.finfo(np.float64).eps
    power = np.abs(np.fft.rfft(framed, N_FFT)) ** 2 / N_FFT
    energy, bands = power.sum(axis=1), power @ _filters().T
    energy[energy == 0], bands[bands == 0] = tiny, tiny
    coefficients = dct(np.log(bands), type=2, axis=1, norm="ortho")[:, :N_MFCC]
    coefficients *= 1 + LIFTER / 2 * np.sin(np.pi * np.arange(N_MFCC) / LIFTER)
    coefficients[:, 0] = np.log(energy)
    return coefficients


def _filters() -> np.ndarray:
    """Triangular mel filters between whole bins, (26, 257)."""
    highest = 2595 * np.log10(1 + SAMPLING_RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, N_FILTERS + 2) / 2595) - 1)
    low, middle, high = (np.floor((N_FFT + 1) * edges / SAMPLING_RATE)[k : k + N_FILTERS, None] for k in range(3))
    bins = np.arange(N_FFT // 2 + 1)
    rising = (bins >= low) & (bins < middle)
    falling = (bins >= middle) & (bins < high)
    return np.where(rising, (bins - low) / (middle - low), 0) + np.where(falling, (high - bins) / (high - middle), 0)
