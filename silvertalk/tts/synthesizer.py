"""Text to sound with a trained voice."""

import contextlib
import io
import logging
import os
import tempfile
from pathlib import Path

import numpy as np
import yaml

from silvertalk.tts.experiment import find_checkpoint, resolve_config
from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.tts.normalise import describe
from silvertalk.tts.text import (
    UnknownCharacterError,
    describe_unknown,
    describe_unknown_tokens,
    find_unknown,
    normalize_text,
)


class Synthesizer:
    """A trained ESPnet voice; a thin layer over ``espnet2.bin.tts_inference.Text2Speech``.

    Example:
        >>> synthesizer = Synthesizer.from_exp("exp/tts_train_jets_raw_char_none_none")
        >>> wav, sampling_rate = synthesizer("bin blue at f two now")
    """

    def __init__(self, text2speech, tokens: list[str] | None = None, front_end: TextFrontEnd | None = None):
        """Wrap a loaded model.

        Args:
            text2speech: A ``Text2Speech``.
            tokens: The voice's character tokens; None when its tokens are not
                characters (then ESPnet's own tokenizer decides alone). With a front end that writes
                phonemes: these.
            front_end: How text becomes what ESPnet reads; by default it is read as it is.
        """
        self.text2speech = text2speech
        self.tokens = tokens
        self.front_end = front_end or TextFrontEnd()

    @classmethod
    def from_exp(
        cls, exp_dir: str | os.PathLike, device: str = "cpu", checkpoint: str | os.PathLike | None = None
    ) -> "Synthesizer":
        """Load the voice of an experiment folder.

        Args:
            exp_dir: Folder with ``config.yaml`` and weights.
            device: ``cpu`` or ``cuda``.
            checkpoint: Weights; by default ``train.total_count.ave_5best.pth``,
                else another average, else ``latest.pth``.

        Raises:
            FileNotFoundError: The folder holds no trained voice.
        """
        checkpoint = Path(checkpoint) if checkpoint else find_checkpoint(exp_dir)
        if not checkpoint.exists():
            raise FileNotFoundError(f"no {checkpoint}; run stage 7")
        text2speech = _load(resolve_config(exp_dir), checkpoint, device)
        arguments = text2speech.train_args
        front_end = TextFrontEnd.load(exp_dir)
        checked = arguments.token_type == "char" and arguments.cleaner is None or front_end.writes_phonemes
        return cls(text2speech, list(arguments.token_list) if checked else None, front_end)

    @property
    def sampling_rate(self) -> int:
        """Hz of the sound."""
        return int(self.text2speech.fs)

    def __call__(self, text: str) -> tuple[np.ndarray, int]:
        """Speak a sentence.

        Args:
            text: One sentence, any letter case. Characters that the voice's text normalisation cannot read are
                left out with a warning.

        Returns:
            Sound (T,) float32 in -1..1, and its sampling rate in Hz.

        Raises:
            ValueError: The text is empty.
            UnknownCharacterError: The voice has no token for a character; the
                message says which, where, and what the voice knows.
        """
        text = self._spoken(text)
        wav = self.text2speech(text)["wav"]
        return np.clip(wav.cpu().numpy().astype(np.float32), -1.0, 1.0), self.sampling_rate

    def _spoken(self, text: str) -> str:
        """Bring typed text to what the voice was trained on."""
        if not text.strip():
            raise ValueError("the text is empty; type a sentence")
        spoken = self.front_end(text)
        if spoken.unknown:
            logging.warning("not spoken: %s", describe(spoken.unknown))
        if not spoken.text.strip():
            raise ValueError(f"nothing in '{text}' can be spoken; type a sentence")
        if self.front_end.writes_phonemes:
            reason = describe_unknown_tokens(spoken.text, self.tokens or [])
            if reason:
                raise UnknownCharacterError(reason)
            return spoken.text
        text = normalize_text(spoken.text, self.tokens or [])
        unknown = find_unknown(text, self.tokens) if self.tokens is not None else []
        if unknown:
            raise UnknownCharacterError(describe_unknown(text, unknown, self.tokens))
        return text


def _load(config: dict, checkpoint: Path, device: str):
    """Build the model without the chatter of ESPnet's imports.

    ESPnet imports its English g2p whether it is used or not, which looks for
    NLTK data and prints when there is no network.
    """
    chatter = io.StringIO()
    root_level = logging.getLogger().level
    try:
        with contextlib.redirect_stderr(chatter), contextlib.redirect_stdout(chatter):
            from espnet2.bin.tts_inference import Text2Speech
        logging.getLogger().setLevel(max(root_level, logging.WARNING))  # ESPnet logs the whole network
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
            return Text2Speech(f"{folder}/config.yaml", str(checkpoint), device=device, always_fix_seed=True)
    finally:
        logging.getLogger().setLevel(root_level)
        logging.debug("while ESPnet was loaded: %s", chatter.getvalue())
