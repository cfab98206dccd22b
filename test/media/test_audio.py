import logging
import tracemalloc

import av
import numpy as np
import pytest
import soundfile
import soxr

from silvertalk.media import VideoWriter, audio, read_audio, write_audio
from silvertalk.media.audio import _TimeLine, read_sound, sound_info
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


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 96000])
@pytest.mark.parametrize("sampling_rate", [None, 16000, 22050])
@pytest.mark.parametrize("block", [0.05, 1.0, 60.0])
def test_pieces_add_up_to_the_whole(tmp_path, rate, sampling_rate, block):
    wav = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * rate + 77).astype(np.float32)
    write_audio(tmp_path / "a.wav", wav, rate)
    whole, whole_rate = read_audio(tmp_path / "a.wav")
    assert whole_rate == rate and len(whole) == len(wav)
    if sampling_rate:
        whole = soxr.resample(whole, rate, sampling_rate)
    pieces = list(read_sound(tmp_path / "a.wav", sampling_rate, block=block))
    assert all(piece.shape[0] == 1 and piece.dtype == np.float32 and piece.flags.c_contiguous for piece in pieces)
    assert max(piece.shape[1] for piece in pieces) <= 1.2 * block * (sampling_rate or rate) + 2000
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1)[0], whole)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", sampling_rate)[0], whole)


@pytest.mark.parametrize("start, end", [(0, 1), (0.3, 2.71), (4.5, None), (3, 99), (9, None), (2, 1), (-1, 0.5)])
@pytest.mark.parametrize("sampling_rate", [None, 8000])
def test_part_of_a_file_in_pieces(tmp_path, start, end, sampling_rate):
    write_audio(tmp_path / "a.wav", tone(5.0), RATE)
    whole, _ = read_audio(tmp_path / "a.wav")
    expected = whole[round(max(start, 0) * RATE) : None if end is None else round(end * RATE)]
    if sampling_rate:
        expected = soxr.resample(expected, RATE, sampling_rate)
    pieces = list(read_sound(tmp_path / "a.wav", sampling_rate, start, end, block=0.25))
    np.testing.assert_array_equal(np.concatenate([np.zeros((1, 0)), *pieces], axis=1)[0], expected)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp4", ".mkv", ".mov", ".m4a", ".mpg", ".mp3"])
@pytest.mark.parametrize(("start", "end"), [(5.0, 5.5), (17.32, 19.0), (19.9, None), (25.0, 26.0)])
def test_late_part_is_what_the_whole_has_there(tmp_path, make_media, suffix, start, end):
    """Also where one leaps to it."""
    rate = 44100
    wav = np.cumsum(np.random.default_rng(0).normal(0, 0.02, 20 * rate)).astype(np.float32)
    wav = 0.5 * np.sin(wav) * np.linspace(0.2, 1, len(wav), dtype=np.float32)
    path = tmp_path / f"long{suffix}"
    if suffix in (".wav", ".flac", ".mp3"):
        soundfile.write(path, wav, rate)
    else:
        codecs = {".mpg": ("mpeg1video", "mp2"), ".m4a": ("libx264", "aac")}.get(suffix, ("libx264", "aac"))
        frames = [np.full((32, 32, 3), k % 255, np.uint8) for k in range(500)]
        make_media(path, [k / 25 for k in range(500)], frames, wav, rate, *codecs)
    whole, _ = read_audio(path)
    part, _ = read_audio(path, None, start, end)
    wanted = whole[round(start * rate) : None if end is None else round(end * rate)]
    # The stamps of Matroska are rounded to a millisecond, so there the part may lie half of one away.
    slack = 23 if suffix == ".mkv" else 0
    assert abs(len(part) - len(wanted)) <= slack
    # AAC draws some noise anew at every decoding; a shift by one sample would give 2 % of the loudness.
    middle = slice(slack, min(len(part), len(wanted)) - slack)
    errors = [np.mean((part[middle] - np.roll(wanted, k)[middle]) ** 2) for k in range(-slack, slack + 1) if len(part)]
    assert not errors or min(errors) < 1e-4 * np.mean(wanted**2)


def test_late_part_costs_no_more_than_an_early_one(tmp_path, monkeypatch):
    write_audio(tmp_path / "long.flac", np.zeros(60 * 16000, np.float32), 16000)
    decoded = []
    mix = audio._mix
    monkeypatch.setattr(audio, "_mix", lambda samples, *rest: decoded.append(samples.shape[1]) or mix(samples, *rest))
    read_audio(tmp_path / "long.flac", None, 50.0, 51.0)
    assert sum(decoded) < 8 * 16000


def test_stereo(tmp_path):
    both = np.stack([tone(1.0), tone(1.0, frequency=700)])
    soundfile.write(tmp_path / "a.wav", both.T, RATE, subtype="FLOAT")
    assert sound_info(tmp_path / "a.wav") == (RATE, 2)
    np.testing.assert_array_equal(np.concatenate(list(read_sound(tmp_path / "a.wav", channels=2)), axis=1), both)
    np.testing.assert_array_equal(np.concatenate(list(read_sound(tmp_path / "a.wav")), axis=1)[0], both.mean(axis=0))
    low = np.concatenate(list(read_sound(tmp_path / "a.wav", 8000, channels=2)), axis=1)
    np.testing.assert_allclose(low, [soxr.resample(wav, RATE, 8000) for wav in both], atol=1e-6)
    write_audio(tmp_path / "b.wav", both[0], RATE)
    left, right = np.concatenate(list(read_sound(tmp_path / "b.wav", channels=2)), axis=1)
    np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(left, read_audio(tmp_path / "b.wav")[0])


LAYOUTS = {  # the weight in (left, right) of every channel, times the sum of one side
    "3.0": (2, [(1, 0), (0, 1), (1, 1)]),
    "quad": (1.5, [(1, 0), (0, 1), (0.5, 0), (0, 0.5)]),
    "5.1": (2.5, [(1, 0), (0, 1), (1, 1), (0, 0), (0.5, 0), (0, 0.5)]),
    "5.1(side)": (2.5, [(1, 0), (0, 1), (1, 1), (0, 0), (0.5, 0), (0, 0.5)]),
    "7.1": (3, [(1, 0), (0, 1), (1, 1), (0, 0), (0.5, 0), (0, 0.5), (0.5, 0), (0, 0.5)]),
}


def write_channels(path, layout, wav):
    """Write (C, T) losslessly with a named layout."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=RATE, layout=layout)
        samples = np.ascontiguousarray((wav * 32767).astype(np.int16).T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate = RATE
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_channels_are_mixed_for_speech(tmp_path, layout):
    total, weights = LAYOUTS[layout]
    for number, sides in enumerate(weights):
        wav = np.zeros((len(weights), RATE // 10))
        wav[number] = tone(0.1)
        path = write_channels(tmp_path / "a.wav", layout, wav)
        assert sound_info(path) == (RATE, len(weights))
        mixed = np.concatenate(list(read_sound(path, channels=2)), axis=1)
        np.testing.assert_allclose(mixed, np.outer(sides, tone(0.1)) / total, atol=1e-4)
        np.testing.assert_allclose(read_audio(path)[0], mixed.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("channels, mixed", [(3, 1 / 3), (4, 1 / 4), (6, 1 / 2.5), (8, 1 / 3), (10, 1 / 10)])
def test_unnamed_channels(tmp_path, channels, mixed):
    wav = np.zeros((RATE // 10, channels))
    wav[:, 2] = tone(0.1)  # the centre, where the layout is known
    soundfile.write(tmp_path / "a.wav", wav, RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav")[0], tone(0.1) * mixed, atol=1e-5)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
@pytest.mark.parametrize("amplitude", [1.0, 0.02])
def test_sample_formats(tmp_path, subtype, amplitude):
    soundfile.write(tmp_path / "a.wav", tone(0.1) * amplitude, RATE, subtype=subtype)
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav")[0], tone(0.1) * amplitude, atol=0.02)


def test_what_is_not_finite_is_silence(tmp_path):
    wav = tone(1.0)
    wav[1000:1010], wav[2000] = np.nan, -np.inf
    soundfile.write(tmp_path / "a.wav", wav, RATE, subtype="FLOAT")
    again, _ = read_audio(tmp_path / "a.wav", 16000)
    assert np.isfinite(again).all() and np.abs(again).max() < 1
    assert not read_audio(tmp_path / "a.wav")[0][1000:1010].any()


def peak_memory(function):
    """Most bytes that numpy and Python held at once."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_length(tmp_path):
    peaks = []
    for seconds in (10, 60):
        path = tmp_path / f"{seconds}.wav"
        write_audio(path, np.zeros(seconds * 48000), 48000)
        peaks.append(peak_memory(lambda path=path: [None for _ in read_sound(path, 16000, channels=2)]))
        whole = peak_memory(lambda path=path: read_audio(path))
        assert whole < 1.2 * seconds * 48000 * 4 + 3e6
    assert peaks[1] < 1.05 * peaks[0] and peaks[1] < 4e6


def lay(pieces, rate=1000, origin=0.0, block=500, end=None):
    """Lay (time, value, number of samples) on a time line: (T,)."""
    line, out = _TimeLine(rate, 1, origin, block), []
    for time, value, number in pieces:
        line.add(time, np.full((1, number), value, np.float32))
        line.extend_to(time + number / rate if end is None else end)
        out += list(line.ready())
    return np.concatenate([np.zeros((1, 0)), *out, *line.rest()], axis=1)[0]


def test_gaps_are_silent_however_long():
    """Also one longer than what is kept back, after which the first piece must not be lost."""
    for gap in (0.1, 1.5, 10.0, 1000.0):
        pieces = [(0.1 * k, 1, 100) for k in range(40)] + [(4 + gap + 0.1 * k, 2, 100) for k in range(40)]
        wav = lay(pieces)
        first = round((4 + gap) * 1000)
        assert len(wav) == first + 4000
        assert (wav[:4000] == 1).all() and not wav[4000:first].any() and (wav[first:] == 2).all()


def test_what_precedes_the_picture_is_cut():
    np.testing.assert_array_equal(lay([(-0.25, 1, 200), (-0.05, 2, 200)]), np.full(150, 2))
    assert len(lay([(-5, 1, 200)], end=0)) == 0


def test_overlapping_pieces_replace_earlier_ones():
    wav = lay([(0, 1, 1000), (0.5, 2, 1000), (1.5, 3, 500)])
    np.testing.assert_array_equal(wav, np.repeat([1, 2, 3], [500, 1000, 500]))


@pytest.mark.parametrize("false", [-40.0, 30.0, 1e7])
def test_a_single_false_stamp_is_not_believed(false):
    times = [0.1 * k for k in range(200)]
    times[100] = false
    np.testing.assert_array_equal(
        lay([(time, 1 + k, 100) for k, time in enumerate(times)]), np.repeat(np.arange(200) + 1, 100)
    )


@pytest.mark.parametrize("restart", [0.0, 1e7])
def test_a_clock_that_is_set_anew_does_not_stop_the_sound(restart):
    times = [0.1 * k for k in range(100)] + [restart + 0.1 * k for k in range(100)]
    wav = lay([(time, 1 + k, 100) for k, time in enumerate(times)])
    np.testing.assert_array_equal(wav, np.repeat(np.arange(200) + 1, 100))


def test_damage_is_logged_once_even_if_only_a_part_is_read(tmp_path, make_media, caplog):
    frames = [np.zeros((32, 32, 3), np.uint8)] * 250
    times = [k / 25 for k in range(250)]
    path = make_media(tmp_path / "a.mpg", times, frames, beeps(10.0), video_codec="mpeg1video", audio_codec="mp2")
    damage(path, 0.1, 0.3, b"\xff\xfd\x13")
    with caplog.at_level(logging.WARNING):
        read_audio(path, end=7.0)
    assert sum("damaged" in record.message for record in caplog.records) <= 1


def test_bad_requests_and_files_in_pieces(tmp_path, make_media):
    for function in (read_sound, sound_info):
        with pytest.raises(FileNotFoundError, match="nothing.wav"):
            function(tmp_path / "nothing.wav")
    (tmp_path / "a.wav").write_bytes(b"no sound in here" * 50)
    make_media(tmp_path / "a.mp4", [0, 0.04], [np.zeros((32, 32, 3), np.uint8)] * 2)
    for name, message in [("a.wav", "a.wav.*check or replace"), ("a.mp4", "a.mp4.*no sound")]:
        with pytest.raises(RuntimeError, match=message):
            sound_info(tmp_path / name)
        with pytest.raises(RuntimeError, match=message):
            next(read_sound(tmp_path / name))
    with pytest.raises(ValueError, match="3 channels"):
        read_sound(tmp_path / "a.wav", channels=3)
    with pytest.raises(ValueError, match="0 s"):
        read_sound(tmp_path / "a.wav", block=0)


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
