"""Sound features are those of the published code."""

import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch

from silvertalk.makeittalk import pitch, sound
from silvertalk.makeittalk.networks import AutoVC
from silvertalk.makeittalk.pitch import quantise_pitch, track_pitch
from silvertalk.makeittalk.sound import (
    SoundFeatures,
    autovc_mel,
    f0_bins,
    filter_wav,
    match_level,
)
from silvertalk.media import read_audio, speaker
from silvertalk.media.speaker import speaker_embedding, to_pcm


@pytest.fixture(scope="module")
def features(golden):
    """What the published code makes of the sound."""
    return golden("audio_features")


@pytest.fixture(scope="module")
def pcm(inputs, features) -> np.ndarray:
    """Four seconds of a voice-like sweep with a gap."""
    samples = inputs.synth_pcm()
    assert zlib.crc32(samples.tobytes()) == features["pcm_crc32"]
    return samples


@pytest.fixture(scope="module")
def filtered(pcm) -> np.ndarray:
    """The same, prepared."""
    return filter_wav(match_level(pcm))


@pytest.fixture(scope="module")
def small() -> AutoVC:
    """A small network."""
    torch.manual_seed(0)
    return AutoVC(pre=16, neck=2)


def test_level_is_exact(features, pcm):
    levelled = match_level(to_pcm(pcm / 32768))
    assert levelled.dtype == np.int16 and zlib.crc32(levelled.tobytes()) == features["pcm_norm_crc32"]


def test_filter(features, filtered):
    assert len(filtered) == 64001  # 64000 are a whole number of hops
    # Another processor's arithmetic differs by more than 1e-7.
    np.testing.assert_allclose(filtered[:4000], features["wav_filtered_head"], atol=1e-6)
    np.testing.assert_allclose(filtered[-600:], features["wav_filtered_tail"], atol=1e-6)


def test_mel(features, pcm, filtered):
    mel = autovc_mel(filtered)
    assert mel.shape == (251, 80) and mel.dtype == np.float32
    np.testing.assert_allclose(mel, features["mel"], atol=1e-5)
    cut = autovc_mel(filter_wav(match_level(pcm)[:63001]))
    assert cut.shape == tuple(features["mel_63001_shape"])
    np.testing.assert_allclose(cut[-1], features["mel_63001_last"], atol=1e-5)


@pytest.mark.parametrize("kind", "FM")
def test_pitch_classes(features, kind):
    log_f0 = features[f"f0_rapt_{kind}"].astype(np.float64)
    bins = quantise_pitch(np.where(log_f0 > 0, np.exp(log_f0), 0))
    np.testing.assert_array_equal(bins, features[f"f0_bin_{kind}"])


def agreement(tracked: np.ndarray, log_f0: np.ndarray) -> tuple[float, float]:
    """Share of equal voicing, and mean difference of log-F0 where both are voiced."""
    length = min(len(tracked), len(log_f0))
    tracked, log_f0 = tracked[:length], log_f0[:length]
    both = (tracked > 0) & (log_f0 > 0)
    return np.mean((tracked > 0) == (log_f0 > 0)), np.abs(np.log(tracked[both]) - log_f0[both]).mean()


@pytest.mark.parametrize(("kind", "f0_range"), [("F", (114, 600)), ("M", (50, 250)), ("M", (50, 600))])
def test_pitch_is_that_of_rapt(features, filtered, kind, f0_range):
    equal, difference = agreement(track_pitch(filtered, f0_range), features[f"f0_rapt_{kind}"])
    assert equal >= 0.98 and difference < 1e-3


@pytest.mark.recipe  # RAPT has to start anew for every sound
@pytest.mark.parametrize("clip", ["en_kathleen/arctic_a0001", "en_ljspeech/wavs/LJ001-0001", "ko_lmy/lmy01001",
                                  "zh_baker/000001"])  # fmt: skip
def test_pitch_of_speech_is_that_of_rapt(media, tmp_path, clip):
    wav, _ = read_audio(media / "speech" / f"{clip}.flac", 16000)
    speech = filter_wav(match_level(to_pcm(wav)))
    np.save(tmp_path / "wav.npy", speech * np.float32(32768))
    program = (
        "import numpy, pysptk; wav = numpy.load('wav.npy');"
        "numpy.save('f0.npy', pysptk.sptk.rapt(wav, 16000, 256, min=50, max=600, otype=2))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    equal, difference = agreement(track_pitch(speech), np.load(tmp_path / "f0.npy"))
    assert equal >= 0.95 and difference < 0.02


def test_sound_without_a_voice_has_no_pitch():
    noise = filter_wav(match_level(np.random.default_rng(0).integers(-900, 900, 20000).astype(np.int16)))
    for wav in (noise, filter_wav(np.zeros(5000, np.int16))):
        bins = f0_bins(wav)
        assert len(bins) == 1 + len(wav) // 256 and np.mean(bins > 0) < 0.05
    one = quantise_pitch(np.array([0.0, 120.0, 0.0]))
    assert one.tolist() == [0, 129, 0]  # a single voiced frame lies in the middle


def test_blocks_make_no_difference(pcm, filtered, monkeypatch):
    whole = autovc_mel(filtered), track_pitch(filtered)
    monkeypatch.setattr(sound, "FRAMES_AT_ONCE", 100)
    monkeypatch.setattr(pitch, "FRAMES_AT_ONCE", 100)
    np.testing.assert_allclose(filter_wav(match_level(pcm)), filtered, atol=1e-6)
    np.testing.assert_allclose(autovc_mel(filtered), whole[0], atol=1e-5)
    np.testing.assert_allclose(track_pitch(filtered), whole[1], rtol=1e-5)


def test_conversion(features, filled, constants):
    converter = SoundFeatures(filled("autovc_generator"), constants["target_emb"])
    converted = converter.convert(features["mel"], features["f0_bin_F"], features["emb_src"])
    np.testing.assert_allclose(converted, features["autovc_out"], atol=2e-3)


def test_long_sound_is_converted_piece_by_piece(features, small, monkeypatch):
    voices = np.random.default_rng(0).random((2, 256), np.float32)
    converter = SoundFeatures(small, voices[0])
    inputs = features["mel"], features["f0_bin_F"]
    monkeypatch.setattr(sound, "FRAMES_AT_ONCE", 96)
    converted = converter.convert(*inputs, voices[1])
    parts = [converter.convert(*(array[a : a + 96] for array in inputs), voices[1]) for a in (0, 96, 192)]
    assert converted.shape == (251, 80)
    np.testing.assert_allclose(converted, np.concatenate(parts), atol=1e-6)


def test_content_needs_only_sound(golden, features, small, pcm, filtered):
    voices = np.random.default_rng(0).random((2, 256), np.float32)
    converter = SoundFeatures(small, voices[0])
    wav = (pcm / 32768).astype(np.float32)
    content = converter.content(wav, voices[1])
    np.testing.assert_allclose(content, converter.convert(features["mel"], f0_bins(filtered), voices[1]), atol=1e-5)
    np.testing.assert_allclose(converter.content(wav / 2, voices[1]), content, atol=0.02)  # its level is matched
    own = golden("speaker_embedding")["mean_emb"]
    np.testing.assert_allclose(converter.content(wav), converter.content(wav, own), atol=1e-4)


def test_speaker(golden, pcm):
    embedding = speaker_embedding(match_level(pcm) / 32768)
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding, golden("speaker_embedding")["mean_emb"], atol=1e-5)


def test_speaker_of_long_sound_is_the_mean_over_its_minutes(pcm, monkeypatch):
    wav = np.tile(match_level(pcm) / 32768, 2)
    short = speaker_embedding(wav)
    monkeypatch.setattr(speaker, "EMBEDDING_PIECE", 32000)  # samples instead of a minute's
    long = speaker_embedding(wav)
    assert np.linalg.norm(short) == pytest.approx(1, abs=1e-5)
    assert 0.9 < np.linalg.norm(long) < 0.9999 and np.dot(short, long) > 0.9


def test_sound_without_a_voice_has_a_speaker(caplog):
    for wav in (np.zeros(16000), 1e-3 * np.sin(np.arange(1200) / 50)):
        caplog.clear()
        embedding = speaker_embedding(wav)
        assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-4) and "no voice was found" in caplog.text


def test_bad_sound_is_refused():
    with pytest.raises(ValueError, match="1023 samples of sound are too few; give 1024"):
        to_pcm(np.zeros(1023))
    with pytest.raises(ValueError, match=r"at 0.125 s, that is no number"):
        to_pcm(np.where(np.arange(4000) == 2000, np.nan, 0))
    with pytest.raises(ValueError, match=r"shape \(2, 4000\) was given; give one channel"):
        speaker_embedding(np.zeros((2, 4000)))
