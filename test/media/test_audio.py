import numpy as np
import pytest
import soundfile

from silvertalk.media import VideoWriter, read_audio, write_audio
from silvertalk.media.trim import speech_bounds

RATE = 44100


def tone(seconds, rate=RATE, frequency=440):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def beeps(seconds, rate=RATE):
    """50 ms of tone at the beginning of every half second."""
    wav = tone(seconds, rate, 1000)
    wav[np.arange(len(wav)) % (rate // 2) > rate // 20] = 0
    return wav


def onsets(wav, rate=RATE):
    """Seconds at which sound begins after at least 0.1 s of silence."""
    loud = np.flatnonzero(np.abs(wav) > 0.1)
    return loud[np.diff(loud, prepend=-rate) > rate // 10] / rate


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_written_sound_is_read_again(tmp_path, suffix):
    wav = tone(0.3)
    write_audio(tmp_path / f"a{suffix}", wav, RATE)
    again, rate = read_audio(tmp_path / f"a{suffix}")
    assert rate == RATE and again.dtype == np.float32
    np.testing.assert_allclose(again, wav, atol=2e-4)


def test_loud_sound_is_clipped_and_channels_are_averaged(tmp_path):
    write_audio(tmp_path / "a.wav", np.array([2.0, -2.0] * 100), RATE)
    assert np.abs(read_audio(tmp_path / "a.wav")[0]).max() <= 1
    left, right = tone(0.2), np.zeros(round(0.2 * RATE), np.float32)
    soundfile.write(tmp_path / "b.wav", np.stack([left, right], 1), RATE)
    np.testing.assert_allclose(read_audio(tmp_path / "b.wav")[0], left / 2, atol=1e-4)


@pytest.mark.parametrize("sampling_rate", [8000, 16000, 22050, 48000])
def test_resampled_sound_keeps_length_and_pitch(tmp_path, sampling_rate):
    write_audio(tmp_path / "a.wav", tone(1.0), RATE)
    wav, rate = read_audio(tmp_path / "a.wav", sampling_rate)
    assert rate == sampling_rate and abs(len(wav) - sampling_rate) <= 1
    assert np.argmax(np.abs(np.fft.rfft(wav[: sampling_rate // 2]))) == 220


def test_part_of_a_file(tmp_path):
    write_audio(tmp_path / "a.wav", tone(2.0), RATE)
    wav, _ = read_audio(tmp_path / "a.wav", start=0.5, end=0.75)
    np.testing.assert_allclose(wav, tone(2.0)[RATE // 2 : RATE // 2 + RATE // 4], atol=2e-4)


@pytest.mark.parametrize("num_samples", [16000, 16207, 40007])
def test_sound_in_a_video_is_as_long_as_it_was(tmp_path, num_samples):
    wav = np.zeros(num_samples, np.float32)
    wav[8000:8100] = 0.9
    with VideoWriter(tmp_path / "a.mp4", 25, wav, 16000) as video:
        for _ in range(round(num_samples / 640)):
            video.write(np.zeros((32, 32, 3), np.uint8))
    again, _ = read_audio(tmp_path / "a.mp4")
    assert abs(len(again) - num_samples) <= 2
    assert abs(np.argmax(np.abs(again)) - 8050) < 100


def test_sound_of_a_video_lies_on_the_time_line_of_its_picture(tmp_path, make_media):
    frames = [np.zeros((32, 32, 3), np.uint8)] * 50
    late = [0.2 + k / 25 for k in range(50)]  # the picture begins 0.2 s after the sound
    make_media(tmp_path / "a.mkv", late, frames, beeps(2.0), audio_codec="flac")
    np.testing.assert_allclose(onsets(read_audio(tmp_path / "a.mkv")[0]), [0.3, 0.8, 1.3], atol=0.003)


def damage(path, first, last, with_what=b"\x00"):
    data = bytearray(path.read_bytes())
    first, last = int(first * len(data)), int(last * len(data))
    data[first:last] = (with_what * (last - first))[: last - first]
    path.write_bytes(bytes(data))


def test_damaged_packets_become_silence(tmp_path, caplog):
    path = tmp_path / "a.mp3"
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("mp3", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray((beeps(4.0) * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    whole, _ = read_audio(path)
    data = bytearray(path.read_bytes())
    for place in range(int(0.3 * len(data)), int(0.4 * len(data))):
        data[place] ^= 0x5A
    path.write_bytes(bytes(data))
    wav, rate = read_audio(path)
    assert rate == RATE and np.isfinite(wav).all()
    assert len(wav) >= 0.5 * len(whole)


def test_damage_in_the_middle_does_not_move_what_follows(tmp_path, make_media):
    frames = [np.zeros((32, 32, 3), np.uint8)] * 100
    path = make_media(
        tmp_path / "a.mpg",
        [k / 25 for k in range(100)],
        frames,
        beeps(4.0),
        video_codec="mpeg1video",
        audio_codec="mp2",
    )
    damage(path, 0.4, 0.5, b"\xff\x00\x13")
    wav, _ = read_audio(path)
    assert abs(len(wav) / RATE - 4.0) < 0.15
    tail = onsets(wav[round(2.9 * RATE) :]) + 2.9
    np.testing.assert_allclose(tail[:2] % 0.5, 0, atol=0.03)


@pytest.mark.parametrize("content", [b"", b"no sound in here" * 50])
def test_what_is_no_sound_is_named(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(RuntimeError, match="a.wav"):
        read_audio(tmp_path / "a.wav")


def test_missing_file_and_video_without_sound(tmp_path, make_media):
    with pytest.raises(FileNotFoundError, match="nothing.wav"):
        read_audio(tmp_path / "nothing.wav")
    make_media(tmp_path / "a.mp4", [0, 0.04], [np.zeros((32, 32, 3), np.uint8)] * 2)
    with pytest.raises(RuntimeError, match="no sound"):
        read_audio(tmp_path / "a.mp4")


def test_empty_sound_is_empty(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    try:
        wav, _ = read_audio(tmp_path / "a.wav")
    except RuntimeError as error:
        assert "a.wav" in str(error)
    else:
        assert len(wav) == 0


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_silence_around_speech_is_cut(noise):
    rate = 16000
    wav = np.concatenate([np.zeros(rate), tone(0.8, rate), np.zeros(rate)])
    wav += noise * np.random.default_rng(0).standard_normal(len(wav))
    first, last = speech_bounds(wav, rate, keep=0.1)
    assert abs(first / rate - 0.9) < 0.05 and abs(last / rate - 1.9) < 0.05


def test_sound_without_silence_is_kept():
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000)
    first, last = speech_bounds(noise, 16000)
    assert first <= 800 and last >= 15200
    assert speech_bounds(np.zeros(16000), 16000) == (0, 16000)
    assert speech_bounds(np.zeros(100), 16000) == (0, 100)
    assert speech_bounds(np.zeros(0), 16000) == (0, 0)
