"""How loud speech is to a listener, and bringing it to a wanted loudness while it is made."""

from collections.abc import Iterable, Iterator

import numpy as np

BLOCK = 0.4  # seconds that BS.1770 looks at at once
LEAD = 1.5  # seconds of speech that are heard before the first of them is let through
MEMORY = 30.0  # seconds of speech by which the next sentence is set
MOST_GAIN = 30.0  # dB; what needs more is noise
KNEE, CEILING = 10 ** (-3 / 20), 10 ** (-1 / 20)  # peaks bend from -3 dBFS on and stay under -1 dBFS


def loudness(wav: np.ndarray, sampling_rate: int) -> float:
    """Measure loudness with the gates of ITU-R BS.1770-4, which leave out pauses.

    Args:
        wav: (T,) in [-1, 1]. Sound shorter than a block (0.4 s) is measured as if it went on like this.
        sampling_rate: Hz.

    Returns:
        LUFS; minus infinity for silence.
    """
    import torch
    import torchaudio

    if not np.any(wav):
        return -np.inf
    scale = min(1.0, 0.5 / float(np.abs(wav).max()))  # torchaudio's filters, which amplify, clip at full scale
    wav = np.ascontiguousarray(wav * scale, np.float32)
    if len(wav) < BLOCK * sampling_rate:
        wav = np.resize(wav, int(np.ceil(BLOCK * sampling_rate)))
    measured = float(torchaudio.functional.loudness(torch.from_numpy(wav)[None], sampling_rate))
    # Not a number: no block above the gate.
    return measured - 20 * np.log10(scale) if np.isfinite(measured) else -np.inf


class Leveller:
    """Brings the speech of one voice to a loudness, sentence by sentence, without hearing it all beforehand.

    The first sentence is set by its first ``LEAD`` seconds, every other one by the ``MEMORY`` seconds before it; within
    a sentence nothing changes.

    Args:
        loudness: Wanted, LUFS.
        sampling_rate: Hz.
    """

    def __init__(self, loudness: float, sampling_rate: int):
        self.loudness, self.sampling_rate = loudness, sampling_rate
        self._gain: float | None = None
        self._heard = np.zeros(0, np.float32)

    def __call__(self, pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Set the pieces (n,) of one sentence."""
        sentence, held = [], []
        for piece in pieces:
            sentence.append(piece)
            held.append(piece)
            if self._gain is None and sum(map(len, held)) < LEAD * self.sampling_rate:
                continue
            yield self._set(held)
            held = []
        if held:
            yield self._set(held)
        self._heard = np.concatenate([self._heard, *sentence])[-int(MEMORY * self.sampling_rate) :]
        self._gain = self._needed(self._heard)

    def _set(self, pieces: list[np.ndarray]) -> np.ndarray:
        wav = np.concatenate(pieces)
        if self._gain is None:
            self._gain = self._needed(wav)
        return soften_peaks(wav * np.float32(1.0 if self._gain is None else self._gain))

    def _needed(self, wav: np.ndarray) -> float | None:
        """The factor that sound needs; None for silence."""
        measured = loudness(wav, self.sampling_rate)
        if measured == -np.inf:
            return None
        return 10 ** (float(np.clip(self.loudness - measured, -MOST_GAIN, MOST_GAIN)) / 20)


def soften_peaks(wav: np.ndarray) -> np.ndarray:
    """Bend what is louder than -3 dBFS so that nothing exceeds -1 dBFS; the rest stays as it is."""
    size = np.abs(wav)
    bent = KNEE + (CEILING - KNEE) * np.tanh((size - KNEE) / (CEILING - KNEE))
    return np.where(size > KNEE, np.sign(wav) * bent, wav).astype(np.float32)
