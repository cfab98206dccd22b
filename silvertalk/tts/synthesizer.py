"""ESPnet's voices: JETS, VITS, Tacotron 2 and FastSpeech 2 as recipes train them, or as small stored folders."""

import os
import tempfile
from pathlib import Path

import numpy as np
import yaml

from silvertalk.tts.espnet import quiet
from silvertalk.tts.espnet_models import model_class, wrap_model
from silvertalk.tts.experiment import find_checkpoint, resolve_config
from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.tts.options import SpeakOptions
from silvertalk.tts.speakers import UNKNOWN, Speakers, load_speakers
from silvertalk.tts.store import load_stored
from silvertalk.tts.vocoder import CONFIG, check_vocoder, find_vocoder
from silvertalk.tts.voice import Utterance, Voice


class Synthesizer(Voice):
    """A trained ESPnet voice; a thin layer over ``espnet2.bin.tts_inference.Text2Speech``.

    Example:
        >>> synthesizer = Synthesizer.from_exp("exp/tts_train_jets_raw_phn_none_espeak")
        >>> wav, sampling_rate = synthesizer("bin blue at f two now")
    """

    def __init__(
        self,
        text2speech,
        tokens: list[str] | None = None,
        front_end: TextFrontEnd | None = None,
        speakers: Speakers | None = None,
        engine: str = "torch",
        precision: str = "fp32",
        num_threads: int = 0,
        name: str = "",
    ):
        """Wrap a loaded model.

        Args:
            text2speech: A ``Text2Speech``.
            tokens: The voice's character tokens; None when its tokens are not
                characters (then ESPnet's own tokenizer decides alone). With a front end that writes
                phonemes: these.
            front_end: How text becomes what ESPnet reads; by default it is read as it is.
            speakers: Who can speak with it; by default it is the voice of one.
            engine: What runs JETS's vocoder: auto, torch, openvino or onnxruntime. With torch fp32 the sound is
                ESPnet's.
            precision: auto, fp32, bf16 or fp16.
            num_threads: Threads on the processor; 0: one per core.
            name: Of the voice, for people; by default its model's.
        """
        self.text2speech = text2speech
        self.tokens = tokens
        self.front_end = front_end or TextFrontEnd()
        self.speakers = speakers or Speakers()
        self.model = wrap_model(text2speech, engine, precision, num_threads)
        self.name = f"{name or model_class(text2speech)} ({self.model.name})"
        self.sampling_rate = int(text2speech.fs)

    @classmethod
    def from_exp(
        cls,
        exp_dir: str | os.PathLike,
        device: str = "cpu",
        checkpoint: str | os.PathLike | None = None,
        vocoder_file: str | os.PathLike | None = None,
        **options,
    ) -> "Synthesizer":
        """Load the voice of an experiment folder.

        Args:
            exp_dir: Folder with ``config.yaml`` and weights.
            device: ``cpu`` or ``cuda``.
            checkpoint: Weights; by default ``train.total_count.ave_5best.pth``,
                else another average, else ``latest.pth``.
            vocoder_file: ParallelWaveGAN's checkpoint (.pkl) that makes spectrograms sound; by default what stage 8
                noted in ``vocoder.yaml``, else Griffin-Lim; none: Griffin-Lim.
            **options: engine, precision and num_threads.

        Raises:
            FileNotFoundError: The folder holds no trained voice, or its vocoder is gone.
            ValueError: The vocoder is not this voice's.
            RuntimeError: The vocoder needs a package that is not installed.
        """
        checkpoint = Path(checkpoint) if checkpoint else find_checkpoint(exp_dir)
        if not checkpoint.exists():
            raise FileNotFoundError(f"no {checkpoint}; run stage 7")
        config, name = resolve_config(exp_dir), Path(exp_dir).resolve().name
        vocoder = find_vocoder(exp_dir, vocoder_file)
        if vocoder:
            check_vocoder(config, vocoder)
            name += f" with {vocoder}"
        text2speech = _load(config, checkpoint, device, vocoder)
        arguments = text2speech.train_args
        front_end = TextFrontEnd.load(exp_dir)
        checked = arguments.token_type == "char" and arguments.cleaner is None or front_end.writes_phonemes
        tokens = list(arguments.token_list) if checked else None
        return cls(text2speech, tokens, front_end, load_speakers(exp_dir), name=name, **options)

    @property
    def controls(self) -> tuple[str, ...]:
        """What its model can change."""
        return self.model.controls

    @property
    def speaker_names(self) -> list[str]:
        """Whom it was trained with."""
        return self.speakers.names

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that it numbers, else that of its front end."""
        return tuple(sorted(self.speakers.lids.keys() - {UNKNOWN})) or super().languages

    def check(self, options: SpeakOptions) -> None:
        """Refuse speakers that it does not know, too."""
        super().check(options)
        self.speakers.conditions(options.speaker, options.language)

    def encode(self, text: str) -> np.ndarray:
        """Token ids (N,), as ESPnet's preprocessor gives them."""
        return self.model.token_ids(text)

    def utter(self, text: str, options: SpeakOptions, in_pieces: bool = False) -> Utterance:
        """Speak one sentence with ESPnet's model."""
        conditions = self.speakers.conditions(options.speaker, options.language)
        return self.model.speak(text, options, conditions, in_pieces)


def _load(config: dict, checkpoint: Path, device: str, vocoder: Path | None = None):
    """Load a voice into ESPnet's ``Text2Speech``."""
    stored = checkpoint.suffix == ".safetensors"  # which ESPnet does not read
    options = {"vocoder_file": vocoder, "vocoder_config": vocoder.with_name(CONFIG)} if vocoder else {}
    with quiet(), tempfile.TemporaryDirectory() as folder:
        from espnet2.bin.tts_inference import Text2Speech

        (Path(folder) / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        model_file = None if stored else str(checkpoint)
        made = Text2Speech(f"{folder}/config.yaml", model_file, device=device, always_fix_seed=True, **options)
    if stored:
        load_stored(made.model, checkpoint)
    return made
