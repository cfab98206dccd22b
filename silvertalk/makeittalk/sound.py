"""What MakeItTalk hears: mel spectrogram, pitch and speaker of a sound, and the same words in a neutral voice.

Constants and formulas of the published system (Zhou et al., "MakeItTalk: Speaker-Aware Talking-Head Animation",
SIGGRAPH Asia 2020) and of its voice conversion (Qian et al., "AutoVC", ICML 2019). All features have 62.5 frames a
second; nothing but the sound and the result grows with the length.

torch is imported where it is needed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from silvertalk.makeittalk.pitch import F0_CLASSES, F0_RANGE, HOP_LENGTH, quantise_pitch, track_pitch
from silvertalk.media.mel import SAMPLING_RATE, mel_filters, reflected
from silvertalk.media.speaker import EMBEDDING_PIECE, EMBEDDING_SIZE, FULL_SCALE, blocks, embed_voice, to_pcm

if TYPE_CHECKING:
    import torch

FRAMES_PER_SECOND = SAMPLING_RATE / HOP_LENGTH  # 62.5
LEVEL = -20.0  # dBFS
HIGH_PASS = 30.0  # Hz
FILTER_MARGIN = SAMPLING_RATE  # samples; the filter has forgotten what is a second away
GAIN, DITHER = 0.95, 1e-6
FILLER = 1e-6  # the sample added where the length would be a whole number of hops

N_FFT = WIN_LENGTH = 1024  # samples, 64 ms
N_MELS = 80
FMIN, FMAX = 90, 7600  # Hz
MIN_LEVEL, REF_LEVEL_DB, MIN_LEVEL_DB = 1e-5, 16, -100
FRAMES_AT_ONCE = 4096  # of AutoVC, as published, and of the spectrogram: 65 s
FRAMES_MULTIPLE = 32  # lengths AutoVC is given


def match_level(pcm: np.ndarray) -> np.ndarray:
    """Bring sound to -20 dBFS.

    Args:
        pcm: int16 (N,).

    Returns:
        int16 (N,); digital silence stays what it is.
    """
    parts = list(blocks(len(pcm), EMBEDDING_PIECE))
    energy = sum(int(np.sum(pcm[a:b].astype(np.int64) ** 2)) for a, b in parts)
    rms = np.floor(np.sqrt(energy / len(pcm)))
    if rms == 0:
        return pcm
    factor = 10 ** ((LEVEL - 20 * np.log10(rms / FULL_SCALE)) / 20)
    matched = np.empty_like(pcm)
    for a, b in parts:
        matched[a:b] = np.floor(np.clip(pcm[a:b].astype(np.float64) * factor, -FULL_SCALE, FULL_SCALE - 1))
    return matched


def filter_wav(pcm: np.ndarray) -> np.ndarray:
    """Remove rumble below 30 Hz, without delay, and add a little noise, always the same.

    Args:
        pcm: int16 (N,).

    Returns:
        float32 (N,) in [-1, 1], or (N + 1,) where N is a multiple of 256.
    """
    from scipy.signal import butter, filtfilt

    b, a = butter(5, HIGH_PASS, "highpass", fs=SAMPLING_RATE)
    noise = np.random.RandomState(0)
    length = len(pcm) + (len(pcm) % HOP_LENGTH == 0)
    filtered = np.empty(length, np.float32)
    for first, last in blocks(length, FRAMES_AT_ONCE * HOP_LENGTH):
        begin = max(first - FILTER_MARGIN, 0)
        part = pcm[begin : last + FILTER_MARGIN] / FULL_SCALE
        if last + FILTER_MARGIN >= length > len(pcm):
            part = np.append(part, FILLER)
        smooth = filtfilt(b, a, part)[first - begin :][: last - first]
        filtered[first:last] = GAIN * smooth + DITHER * (noise.rand(last - first) - 0.5)
    return filtered


def autovc_mel(filtered: np.ndarray) -> np.ndarray:
    """Compute the log-mel spectrogram AutoVC takes.

    Args:
        filtered: float (N,), of ``filter_wav``.

    Returns:
        float32 (1 + N // 256, 80), mostly in [0, 1].
    """
    window = np.hanning(WIN_LENGTH + 1)[:-1]
    basis = mel_filters(N_FFT, N_MELS, FMIN, FMAX).T
    mel = np.empty((1 + len(filtered) // HOP_LENGTH, N_MELS), np.float32)
    for first, last in blocks(len(mel), FRAMES_AT_ONCE // 4):
        samples = first * HOP_LENGTH - N_FFT // 2, (last - 1) * HOP_LENGTH + N_FFT // 2
        part = filtered[reflected(*samples, len(filtered))]
        amplitude = np.abs(np.fft.rfft(sliding_window_view(part, N_FFT)[::HOP_LENGTH] * window)) @ basis
        decibel = 20 * np.log10(np.maximum(amplitude, MIN_LEVEL)) - REF_LEVEL_DB
        mel[first:last] = (decibel - MIN_LEVEL_DB) / -MIN_LEVEL_DB
    return mel


def f0_bins(filtered: np.ndarray, f0_range: tuple[float, float] = F0_RANGE) -> np.ndarray:
    """Follow the pitch of a voice, as AutoVC takes it: int64 (1 + N // 256,); see ``quantise_pitch``."""
    return quantise_pitch(track_pitch(filtered, f0_range))


class SoundFeatures:
    """Takes the speaker out of a sound, so that only what is said remains.

    Args:
        autovc: The network, or where ``load_checkpoint`` finds it.
        target_embedding: (256,) of the speaker that all voices are converted to.
        device: Of the network.
        f0_range: Lowest and highest pitch looked for (Hz).

    Raises:
        FileNotFoundError: No such checkpoint.
        ValueError: It is none of AutoVC.
    """

    def __init__(
        self,
        autovc: torch.nn.Module | str | os.PathLike,
        target_embedding: np.ndarray,
        device: str = "cpu",
        f0_range: tuple[float, float] = F0_RANGE,
    ):
        if isinstance(autovc, str | os.PathLike):
            from silvertalk.makeittalk.checkpoint import load_network

            autovc = load_network(autovc, "AutoVC")
        self.network = autovc.to(device).eval()
        self.target, self.device, self.f0_range = np.asarray(target_embedding, np.float32), device, f0_range

    def content(self, wav: np.ndarray, embedding: np.ndarray | None = None) -> np.ndarray:
        """Convert a sound to the target speaker.

        Args:
            wav: 16 kHz sound, float (N,) in [-1, 1].
            embedding: (256,) of its speaker; None: of this sound once its level is matched, as published.

        Returns:
            float32 (T, 80), a log-mel spectrogram at 62.5 frames a second; T = 1 + N // 256.

        Raises:
            ValueError: See ``to_pcm``.
        """
        pcm = match_level(to_pcm(wav))
        embedding = embed_voice(pcm) if embedding is None else embedding
        filtered = filter_wav(pcm)
        return self.convert(autovc_mel(filtered), f0_bins(filtered, self.f0_range), embedding)

    def convert(
        self, mel: np.ndarray, bins: np.ndarray, embedding: np.ndarray, target: np.ndarray | None = None
    ) -> np.ndarray:
        """Convert a spectrogram, 65 s at a time.

        Args:
            mel: (T, 80), of ``autovc_mel``.
            bins: int (T,), of ``f0_bins``.
            embedding: (256,) of its speaker.
            target: (256,) of the speaker to sound like; None: the target speaker.

        Returns:
            float32 (T, 80).
        """
        source, target = (
            np.asarray(e, np.float32).reshape(1, EMBEDDING_SIZE)
            for e in (embedding, self.target if target is None else target)
        )
        parts = blocks(len(mel), FRAMES_AT_ONCE)
        return np.concatenate([self._convert(mel[a:b], bins[a:b], source, target) for a, b in parts])

    def _convert(self, mel: np.ndarray, bins: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Convert up to 4096 frames."""
        import torch

        padding = -len(mel) % FRAMES_MULTIPLE
        one_hot = np.zeros((len(mel) + padding, F0_CLASSES), np.float32)
        one_hot[np.arange(len(mel)), bins] = 1  # what is padded has no class at all, as published
        inputs = np.pad(mel, ((0, padding), (0, 0)))[None], source, one_hot[None], target
        with torch.inference_mode():
            tensors = [torch.from_numpy(np.ascontiguousarray(a, np.float32)).to(self.device) for a in inputs]
            _, converted, _ = self.network(*tensors)
        return converted[0, : len(mel)].float().cpu().numpy()
