"""The quick way from tokens to sound with JETS.

JETS (Lim et al. 2022, https://arxiv.org/abs/2203.16852) is two networks that meet in a matrix of hidden states, one
row for each frame: FastSpeech 2 up to its decoder, and HiFi-GAN. The first looks at the whole sentence and takes
about a thirtieth of the time; it stays in torch, where durations, pitch and energy can be changed on the way.
HiFi-GAN only looks at a few frames around each, so it runs piece by piece, in the engine that is fastest here.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from silvertalk.engine.model import Model
from silvertalk.engine.select import make_engine, save_network

if TYPE_CHECKING:
    import torch
    from espnet2.gan_tts.hifigan import HiFiGANGenerator

# Frames that the vocoder runs on at once. So few sizes because OpenVINO prepares itself for each when it first meets
# it, for as long as some seconds of sound take. The smaller is also how a stream begins: with 0.6 s of sound.
SIZES = (64, 192)
MIN_SNR = 35.0  # dB to torch fp32
CHECK_FRAMES = 64


@dataclass(frozen=True)
class Frames:
    """A sentence between the two halves of JETS."""

    hidden: np.ndarray  # (T, adim) float32, what HiFi-GAN takes
    durations: np.ndarray  # (N,) int64, frames of each token; their sum is T


class JetsVoice:
    """JETS with its vocoder in the fastest engine.

    With torch fp32 the sound is that of ESPnet's ``Text2Speech`` (which draws no random numbers for JETS, so its
    seed does not matter); any other engine comes within 35 dB of it.

    Args:
        text2speech: A loaded ``espnet2.bin.tts_inference.Text2Speech`` for which ``is_jets`` holds. Sound is
            computed on its device.
        engine: auto, torch, openvino or onnxruntime; see ``silvertalk.engine.select.make_engine``.
        precision: auto, fp32, bf16, or on a GPU fp16; of the vocoder, durations are always predicted in fp32.
        num_threads: Threads on the processor; 0: OMP_NUM_THREADS, else one per core.

    Raises:
        ValueError: Not a JETS, or something that cannot be asked of this engine or machine.
        RuntimeError: An engine that is missing, a failed conversion, or one not close to torch fp32.
    """

    def __init__(self, text2speech, engine: str = "auto", precision: str = "auto", num_threads: int = 0):
        import torch

        if not is_jets(text2speech):
            raise ValueError(f"engines run JETS, and this voice is a {type(text2speech.tts).__name__}")
        if num_threads:
            torch.set_num_threads(num_threads)
        self._generator = text2speech.tts.generator
        self._device = text2speech.device
        vocoder = self._generator.generator
        self.sampling_rate = int(text2speech.fs)
        self.hop_length = int(vocoder.upsample_factor)
        self.context = context_frames(vocoder)
        parameters = text2speech.train_args.tts_conf.get("generator_params") or {}
        options = {"precision": precision, "device": str(self._device), "num_threads": num_threads or None}
        with tempfile.TemporaryDirectory(prefix="silvertalk") as folder:
            model = save_network(vocoder_model(vocoder, parameters), Path(folder))
            self._engine = make_engine(model, engine, batch_size=1, **options)

    @property
    def name(self) -> str:
        """Engine and precision of the vocoder, for people."""
        return self._engine.name

    def frames(
        self,
        tokens: np.ndarray,
        speed: float = 1.0,
        pitch: float = 0.0,
        energy: float = 0.0,
        *,
        sids: np.ndarray | None = None,
        lids: np.ndarray | None = None,
        spembs: np.ndarray | None = None,
    ) -> Frames:
        """Compute how long each token is and what HiFi-GAN takes.

        Args:
            tokens: Token ids (N,), as ESPnet's preprocessor gives them.
            speed: Tempo; 2 speaks twice as fast. A token that is spoken at tempo 1 keeps at least one frame.
            pitch: Added to the predicted pitch of every token (standard deviations of the voice's log F0, or F0).
            energy: Likewise of its energy.
            sids: Speaker (1,) of a voice with several.
            lids: Language (1,) of a voice with several.
            spembs: Speaker embedding (D,) of a voice that takes one.

        Raises:
            ValueError: No tokens, a tempo that is none, or a speaker or language that is lacking.
        """
        import torch

        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed {speed} is not above 0; 1 is the voice's own tempo")
        if not len(tokens):
            raise ValueError("there are no tokens to speak")
        generator = self._generator
        with torch.inference_mode():
            hidden, _ = generator.encoder(self._tensor(tokens)[None], None)
            hidden = self._with_speaker(hidden, sids, lids, spembs)
            pitches = generator.pitch_predictor(hidden) + pitch  # (1, N, 1)
            energies = generator.energy_predictor(hidden) + energy
            durations = self._durations(hidden, speed)  # (1, N)
            for embedding, values in ((generator.pitch_embed, pitches), (generator.energy_embed, energies)):
                hidden = hidden + embedding(values.transpose(1, 2)).transpose(1, 2)
            hidden = generator.length_regulator(hidden, durations)  # (1, T, adim)
            hidden, _ = generator.decoder(hidden, None)
        return Frames(hidden[0].float().cpu().numpy(), durations[0].cpu().numpy())

    def sound(self, frames: Frames) -> np.ndarray:
        """Speak all frames.

        Returns:
            (T * hop_length,) float32 in -1..1.
        """
        if not self._engine.prepares_for_sizes:
            return self._vocode(frames.hidden)
        return np.concatenate(list(self._pieces(frames.hidden)))

    def stream(self, frames: Frames) -> Iterator[np.ndarray]:
        """Speak piece by piece, so that the first is there at once.

        Returns:
            Pieces of what ``sound`` gives.
        """
        return self._pieces(frames.hidden, begin_small=True)

    def _pieces(self, hidden: np.ndarray, begin_small: bool = False) -> Iterator[np.ndarray]:
        """Sound of windows of few sizes, each with the context that it needs; a sentence shorter than all is one."""
        total = len(hidden)
        sizes = [size for size in SIZES if size <= total] or [total]
        begin = 0
        while begin < total:
            needed = sizes[0] if begin_small and not begin else total - max(0, begin - self.context)
            size = next((size for size in sizes if size >= needed), sizes[-1])
            left = min(max(0, begin - self.context), total - size)
            end = total if left + size == total else left + size - self.context
            wav = self._vocode(hidden[left : left + size])
            yield wav[(begin - left) * self.hop_length : (end - left) * self.hop_length]
            begin = end

    def _vocode(self, hidden: np.ndarray) -> np.ndarray:
        """(T, adim) -> (T * hop_length,)."""
        return self._engine(np.ascontiguousarray(hidden.T)[None]).reshape(-1)

    def _tensor(self, values) -> torch.Tensor:
        """On the voice's device."""
        import torch

        return torch.as_tensor(np.asarray(values), device=self._device)

    def _with_speaker(self, hidden: torch.Tensor, sids, lids, spembs) -> torch.Tensor:
        """Tell encoded tokens (1, N, adim) who speaks, in which language."""
        generator = self._generator
        needed = {"sids": generator.spks, "lids": generator.langs, "spembs": generator.spk_embed_dim}
        given = {"sids": sids, "lids": lids, "spembs": spembs}
        for name, number in needed.items():
            if number is not None and given[name] is None:
                raise ValueError(f"this voice was trained with {name}; say which")
        if generator.spks is not None:
            hidden = hidden + generator.sid_emb(self._tensor(sids).view(-1))[:, None]
        if generator.langs is not None:
            hidden = hidden + generator.lid_emb(self._tensor(lids).view(-1))[:, None]
        if generator.spk_embed_dim is not None:
            hidden = generator._integrate_with_spk_embed(hidden, self._tensor(spembs).float()[None])
        return hidden

    def _durations(self, hidden: torch.Tensor, speed: float) -> torch.Tensor:
        """Frames of each token (1, N), int64: what ESPnet predicts, divided by the tempo before it is rounded."""
        predictor = self._generator.duration_predictor
        frames = (predictor(hidden).exp() - predictor.offset).clamp(min=0)
        spoken = frames.round() > 0
        return (frames / speed).round().clamp(min=1).where(spoken, 0).long()


def is_jets(text2speech) -> bool:
    """Whether a loaded voice can be spoken by ``JetsVoice``: a JETS that needs no recording to imitate."""
    tts = getattr(text2speech, "tts", None)
    return type(tts).__name__ == "JETS" and not tts.use_gst


def vocoder_model(vocoder: HiFiGANGenerator, generator_params: Mapping) -> Model:
    """What an engine needs to know of a vocoder.

    Args:
        vocoder: HiFi-GAN.
        generator_params: What the voice's configuration says of JETS's generator.
    """
    prefix = "generator_"  # in front of HiFi-GAN's own options; both have the same defaults
    options = {key.removeprefix(prefix): value for key, value in generator_params.items() if key.startswith(prefix)}
    adim = vocoder.input_conv.in_channels
    return Model(
        build="silvertalk.tts.engine:build_vocoder",
        check="silvertalk.tts.engine:check_inputs",
        shapes={"hidden": (adim, None)},
        options=options | {"in_channels": adim},
        network=vocoder,
        closeness="silvertalk.engine.model:snr",
        min_closeness=MIN_SNR,
    )


def build_vocoder(weights: Path, **options) -> HiFiGANGenerator:
    """Build HiFi-GAN without weight norm, on the CPU, in eval mode, from a file that ``save_network`` wrote."""
    import torch
    from espnet2.gan_tts.hifigan import HiFiGANGenerator

    vocoder = HiFiGANGenerator(**options)
    vocoder.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True)["state_dict"])
    vocoder.remove_weight_norm()
    return vocoder.eval()


def check_inputs(shapes: Mapping[str, tuple[int | None, ...]]) -> tuple[np.ndarray]:
    """Make what engines are compared on: as JETS's decoder, which ends in a layer norm, might give it.

    Args:
        shapes: Name of the input and its shape (adim, any).

    Returns:
        (1, adim, 64), float32.
    """
    [(adim, _)] = shapes.values()
    noise = np.random.default_rng(0).normal(size=(adim, CHECK_FRAMES + 4))
    hidden = sum(noise[:, k : k + CHECK_FRAMES] for k in range(5)) / math.sqrt(5)  # neighbours are alike
    return (hidden[None].astype(np.float32),)


def context_frames(vocoder: HiFiGANGenerator) -> int:
    """Frames on either side that HiFi-GAN looks at for the sound of one."""
    first, last = 0, vocoder.upsample_factor - 1  # samples of a frame, then what each layer before sees of them
    half = _half(vocoder.output_conv[1])
    for number in reversed(range(vocoder.num_upsamples)):
        blocks = vocoder.blocks[number * vocoder.num_blocks : (number + 1) * vocoder.num_blocks]
        half += max(sum(_half(layer) for layer in block.modules()) for block in blocks)
        [stride], [kernel], [padding] = (
            getattr(vocoder.upsamples[number][1], name) for name in ("stride", "kernel_size", "padding")
        )
        # A transposed convolution's input i reaches its outputs i * stride - padding + (0 ... kernel - 1).
        first = math.ceil((first - half + padding - kernel + 1) / stride)
        last = math.floor((last + half + padding) / stride)
        half = 0
    half = _half(vocoder.input_conv)
    return max(half - first, last + half)


def _half(layer: torch.nn.Module) -> int:
    """Samples on either side that a convolution looks at; other layers look at none."""
    return (layer.kernel_size[0] - 1) // 2 * layer.dilation[0] if hasattr(layer, "dilation") else 0
