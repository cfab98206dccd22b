"""``silvertalk tts``: a text becomes sound."""

import logging
from dataclasses import dataclass, fields
from pathlib import Path

from silvertalk.bin.commands.common import STANDARD_OUTPUT, target
from silvertalk.tts.options import SpeakOptions
from silvertalk.utils.cli import worker


@dataclass(frozen=True)
class VoiceCommandOptions(SpeakOptions):
    """What tts adds to how a voice speaks.

    Args:
        loudness: Wanted loudness in LUFS (ITU-R BS.1770), -60 to -6; null leaves the sound as the voice makes it.
        expdir: Folder of experiments; the newest voice in it is used, without one the English voice of the package.
        exp: Folder of the voice, instead.
        device: auto, cpu or cuda.
        engine: What runs the vocoder of JETS: auto, torch, openvino or onnxruntime.
        precision: auto, fp32, bf16 or fp16; with --engine torch --precision fp32 the sound is ESPnet's.
        num_threads: Threads on the processor; 0: one per core.
    """

    loudness: float | None = -23.0
    expdir: str = "exp"
    exp: str | None = None
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    num_threads: int = 0

    def speaking(self) -> SpeakOptions:
        """How to speak, without the voice."""
        return SpeakOptions(**{field.name: getattr(self, field.name) for field in fields(SpeakOptions)})

    def voice(self):
        """Load the voice."""
        from silvertalk.tts.default import load_voice

        options = {"engine": self.engine, "precision": self.precision, "num_threads": self.num_threads}
        return load_voice(self.expdir, self.exp, self.device, **options)


def tts(
    out: str,
    text: str | None = None,
    file: str | None = None,
    stream: bool = False,
    captions: list[str] | None = None,
    timings: str | None = None,
    **options,
) -> None:
    """Speak a text of any length.

    Args:
        out: The sound file to write: .wav, .flac, .ogg or .mp3; - for standard output (WAV).
        text: What to say; every line is a paragraph.
        file: UTF-8 text to say, instead; - for standard input.
        stream: Write WAV that can be played while it grows.
        captions: Captions to write, too: names that end in .srt or .vtt.
        timings: When each phoneme or character is said: a name that ends in .tsv or .json.
        **options: The voice, and how it speaks.
    """
    from silvertalk.tts.captions import check_names
    from silvertalk.tts.speech_file import read_text_file, speak_to

    if (text is None) == (file is None):
        raise ValueError("give --text or --file, one of them")
    if stream and out != STANDARD_OUTPUT and Path(out).suffix.lower() != ".wav":
        raise ValueError(f"{out}: --stream writes WAV; let the name end in .wav")
    chosen = VoiceCommandOptions(**options)
    check_names(captions or (), timings)
    said = read_text_file(file) if text is None else text
    if not said.strip():
        raise ValueError(f"{file or '--text'}: the text is empty; type a sentence")
    voice = chosen.voice()
    with target(out, stream) as file:
        sentences = speak_to(voice, said, file, chosen.speaking(), captions or (), timings)
    left_out = sum(bool(sentence.problem) for sentence in sentences)
    done = f"{len(sentences) - left_out} sentences, {sentences[-1].end:.2f} s"
    logging.info("%s: %s, by %s%s", out, done, voice.name, f"; {left_out} left out" if left_out else "")


get_parser, main = worker(tts, prog="silvertalk tts")
