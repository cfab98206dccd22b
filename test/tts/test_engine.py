"""JETS in engines: the sound is ESPnet's, whole or in pieces, and can be made faster, higher and louder."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from silvertalk.engine import select as engines
from silvertalk.engine.model import snr
from silvertalk.tts import Synthesizer
from silvertalk.tts.engine import SIZES, JetsVoice, context_frames, is_jets

TINY = {"adim": 16, "elayers": 1, "eunits": 16, "dlayers": 1, "dunits": 16, "generator_channels": 16}
WAYS = [("openvino", "fp32"), ("openvino", "bf16"), ("onnxruntime", "fp32")]


@pytest.fixture(scope="module")
def text2speech(tiny_voice):
    """ESPnet's own; every character lasts 6.4 frames before rounding."""
    return Synthesizer.from_exp(tiny_voice).text2speech


@pytest.fixture(scope="module")
def voice(text2speech):
    return JetsVoice(text2speech, "torch", "fp32")


def tokens(count):
    """Some characters of the tiny voice."""
    return np.random.default_rng(count).integers(2, 14, count)


@pytest.mark.parametrize("count", [1, 6, 50])
def test_the_sound_is_what_espnet_computes(text2speech, voice, count):
    wanted = text2speech(tokens(count))
    frames = voice.frames(tokens(count))
    assert np.array_equal(frames.durations, wanted["duration"]) and len(frames.hidden) == frames.durations.sum()
    given = voice.sound(frames)
    assert given.dtype == np.float32 and given.shape == (len(frames.hidden) * voice.hop_length,)
    assert given.std() > 1e-5
    assert snr(given, wanted["wav"].numpy()) > 90
    assert (voice.name, voice.sampling_rate, voice.hop_length) == ("torch fp32", 16000, 256)


@pytest.mark.parametrize("count", [2, 11, 20, 28, 33, 90])  # 12, 66, 120, 168, 198 and 540 frames
def test_pieces_make_the_whole(voice, count, monkeypatch):
    frames = voice.frames(tokens(count))
    total, run, sizes = len(frames.hidden), voice._vocode, []
    wanted = voice.sound(frames)
    monkeypatch.setattr(voice, "_vocode", lambda hidden: sizes.append(len(hidden)) or run(hidden))
    pieces = list(voice.stream(frames))
    assert len(pieces[0]) == min(SIZES[0] - voice.context, total) * voice.hop_length
    assert snr(np.concatenate(pieces), wanted) > 90
    monkeypatch.setattr(voice._engine, "prepares_for_sizes", True)
    assert snr(voice.sound(frames), wanted) > 90
    assert set(sizes) <= set(SIZES) if total >= SIZES[0] else sizes == [total, total]


def test_context_is_as_wide_as_the_vocoder_looks():
    from espnet2.gan_tts.hifigan import HiFiGANGenerator

    for scales in ([8, 8, 4], [5, 2]):
        options = {"upsample_scales": scales, "upsample_kernel_sizes": [2 * scale for scale in scales]}
        vocoder = HiFiGANGenerator(in_channels=2, channels=8, **options).double().eval()
        vocoder.remove_weight_norm()
        for weights in vocoder.parameters():
            torch.nn.init.constant_(weights, 0.1 if weights.dim() > 1 else 0.0)  # silence in, silence out
        context, hop = context_frames(vocoder), vocoder.upsample_factor
        moved = torch.zeros(1, 2, 4 * context + 1, dtype=torch.float64)
        moved[..., 2 * context] = 1
        with torch.inference_mode():
            changed = vocoder(moved).squeeze().nonzero() // hop - 2 * context  # frames
        assert max(-changed.min(), changed.max()) == context


def test_speed_changes_durations_before_they_are_rounded(voice):
    predictor = voice._generator.duration_predictor
    told = torch.log1p(torch.tensor([[0.2, 3.4, 1.2]]))
    handle = predictor.register_forward_hook(lambda *_: told)
    try:
        for speed, wanted in ((1, [0, 3, 1]), (2, [0, 2, 1]), (10, [0, 1, 1]), (0.5, [0, 7, 2])):
            frames = voice.frames(tokens(3), speed=speed)
            assert frames.durations.tolist() == wanted and len(frames.hidden) == sum(wanted)
    finally:
        handle.remove()
    for speed in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="not above 0"):
            voice.frames(tokens(3), speed=speed)
    with pytest.raises(ValueError, match="no tokens"):
        voice.frames(tokens(0))


def test_a_voice_that_predicts_no_frames_speaks_as_espnet_does(text2speech, voice, monkeypatch):
    bias = text2speech.tts.generator.duration_predictor.linear.bias
    monkeypatch.setattr(bias, "data", torch.tensor([-3.0]))
    wanted = text2speech(tokens(4))
    frames = voice.frames(tokens(4))
    assert frames.durations.tolist() == wanted["duration"].tolist() == [1, 1, 1, 1]
    assert snr(voice.sound(frames), wanted["wav"].numpy()) > 90


@pytest.mark.parametrize("what", ["pitch", "energy"])
def test_pitch_and_energy_are_added_to_what_is_predicted(text2speech, voice, what):
    before = voice.frames(tokens(6)).hidden
    given = voice.frames(tokens(6), **{what: 1.5})
    predictor = getattr(text2speech.tts.generator, f"{what}_predictor")
    handle = predictor.register_forward_hook(lambda module, inputs, predicted: predicted + 1.5)
    try:
        wanted = text2speech(tokens(6))["wav"].numpy()
    finally:
        handle.remove()
    assert snr(voice.sound(given), wanted) > 90
    assert np.abs(given.hidden - before).max() > 0.05


def test_several_speakers():
    from espnet2.gan_tts.jets import JETS

    torch.manual_seed(0)
    extra = {"spks": 3, "langs": 2, "spk_embed_dim": 4}
    small = {"discriminator_type": "hifigan_period_discriminator", "discriminator_params": {"channels": 1}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tts = JETS(16, 80, generator_params={**TINY, **extra}, **small, sampling_rate=16000).eval()
    torch.nn.init.constant_(tts.generator.duration_predictor.linear.bias, 2.0)
    arguments = SimpleNamespace(tts_conf={"generator_params": {**TINY, **extra}})
    model = SimpleNamespace(tts=tts, device="cpu", fs=16000, train_args=arguments)
    voice = JetsVoice(model, "torch", "fp32")
    who = {"sids": np.array([2]), "lids": np.array([1]), "spembs": np.ones(4, np.float32)}
    with torch.inference_mode():
        told = {name: torch.from_numpy(value) for name, value in who.items()}
        wanted = tts.inference(torch.from_numpy(tokens(5)), **told)["wav"].numpy()
    given = voice.sound(voice.frames(tokens(5), **who))
    assert snr(given, wanted) > 90
    other = voice.sound(voice.frames(tokens(5), **who | {"sids": np.array([0])}))
    assert given.shape != other.shape or snr(other, given) < 60
    with pytest.raises(ValueError, match="trained with spembs"):
        voice.frames(tokens(5), sids=who["sids"], lids=who["lids"])


def test_other_voices_are_refused(text2speech):
    assert is_jets(text2speech)
    assert not is_jets(lambda text: text)  # a stand-in
    for name, gst in (("VITS", False), ("JETS", True)):
        other = SimpleNamespace(tts=type(name, (), {"use_gst": gst})())
        assert not is_jets(other)
        with pytest.raises(ValueError, match=f"this voice is a {name}"):
            JetsVoice(other)


def test_sixteen_bits_in_torch(text2speech, voice):
    frames = voice.frames(tokens(12))
    given = JetsVoice(text2speech, "torch", "bf16")
    assert given.name == "torch bf16"
    assert 35 <= snr(given.sound(frames), voice.sound(frames)) < 80
    with pytest.raises(ValueError, match="torch fp32, torch bf16"):
        JetsVoice(text2speech, "torch", "fp16")


def test_inputs_of_other_shapes_are_named(voice):
    for shape in ((1, 15, 40), (2, 16, 40), (1, 16)):
        with pytest.raises(ValueError, match=r"needed are hidden \(B, 16, any\), B <= 1"):
            voice._engine(np.zeros(shape, np.float32))


@pytest.mark.recipe  # seconds: conversions
@pytest.mark.parametrize(("backend", "precision"), WAYS)
def test_backends_speak_as_torch_does(text2speech, voice, backend, precision):
    if not engines._installed(backend) or precision not in engines._precisions(backend, "cpu"):
        pytest.skip(f"no {backend} {precision} here")
    made = JetsVoice(text2speech, backend, precision)
    assert made.name == f"{backend} {precision}"
    for count in (1, 6, 50):
        frames = made.frames(tokens(count))
        sound = made.sound(frames)
        assert snr(sound, voice.sound(frames)) >= (35 if precision == "bf16" else 80)
        assert snr(np.concatenate(list(made.stream(frames))), sound) >= 35
    assert JetsVoice(text2speech).name.startswith("openvino" if engines._installed("openvino") else "onnxruntime")
