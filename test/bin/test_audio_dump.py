import kaldiio
import numpy as np
import pytest
import soundfile

from silvertalk.bin.audio_dump import audio_dump
from silvertalk.bin.audio_filter import filter_audio
from silvertalk.bin.combine_parts import combine
from silvertalk.data import Utterance, read_scp, validate_data_dir, write_data_dir, write_scp
from silvertalk.media import read_audio

RATE = 22050


def speech(seconds=0.6, silence=0.5):
    t = np.arange(round(seconds * RATE)) / RATE
    return np.pad(0.3 * np.sin(2 * np.pi * 500 * t), round(silence * RATE))


@pytest.fixture
def corpus(tmp_path):
    """Six good utterances (one a segment's worth of longer sound) and five bad ones."""
    (tmp_path / "wav").mkdir()
    sounds = {f"s1-{k}": speech() for k in range(6)}
    sounds |= {
        "s1-empty": np.zeros(0),
        "s1-short": speech(0.05, 0.01),
        "s1-silent": np.zeros(RATE),
        "s2-untold": speech(),
    }
    for utt_id, wav in sounds.items():
        soundfile.write(tmp_path / f"wav/{utt_id}.wav", wav, RATE)
    (tmp_path / "wav/s2-broken.wav").write_bytes(b"RIFF but not really")
    texts = dict.fromkeys([*sounds, "s2-broken", "s2-gone"], "a sentence") | {"s2-untold": " "}
    write_data_dir(
        tmp_path / "data",
        [Utterance(u, u.partition("-")[0], text, str(tmp_path / f"wav/{u}.wav")) for u, text in texts.items()],
    )
    return tmp_path


def dump(corpus, out, num_jobs=2, **options):
    for job in range(1, num_jobs + 1):
        audio_dump(str(corpus / "data"), str(corpus / out), job=job, num_jobs=num_jobs, **options)
    combine(str(corpus / out), str(corpus / "data"))


@pytest.mark.parametrize("audio_format", ["flac", "wav"])
def test_dump_is_a_data_directory_of_the_good(corpus, audio_format):
    dump(corpus, "raw", fs=16000, audio_format=audio_format, trim_silence=False)
    validate_data_dir(corpus / "raw")
    assert (corpus / "raw/feats_type").read_text() == "raw\n"
    wavs, samples = read_scp(corpus / "raw/wav.scp"), read_scp(corpus / "raw/utt2num_samples")
    assert list(wavs) == [f"s1-{k}" for k in range(6)] == list(read_scp(corpus / "raw/text"))
    for utt_id, path in wavs.items():
        info = soundfile.info(path)
        assert path.endswith(audio_format) and info.samplerate == 16000 and info.channels == 1
        assert info.frames == int(samples[utt_id]) and abs(info.frames - 1.6 * 16000) <= 2
    skipped = dict(line.split("\t") for line in (corpus / "raw/skipped.tsv").read_text().splitlines())
    assert set(skipped) == {"s1-empty", "s1-short", "s1-silent", "s2-untold", "s2-broken", "s2-gone"}
    assert "silent" in skipped["s1-silent"] and "less than 0.1 s" in skipped["s1-short"]
    assert "transcript" in skipped["s2-untold"] and "s2-gone.wav" in skipped["s2-gone"]


@pytest.mark.parametrize("audio_format", ["flac.ark", "wav.ark"])
def test_archives_hold_the_same_sound(corpus, audio_format):
    dump(corpus, "files", fs=16000, audio_format=audio_format.removesuffix(".ark"), trim_silence=False)
    dump(corpus, "raw", fs=16000, audio_format=audio_format, trim_silence=False)
    validate_data_dir(corpus / "raw")
    files, archives = (read_scp(corpus / name / "wav.scp") for name in ("files", "raw"))
    assert list(archives) == list(files)
    for utt_id, place in archives.items():
        wav = soundfile.read(files[utt_id])[0]
        rate, loaded = kaldiio.load_mat(place)  # as ESPnet's kaldi_ark reads it
        assert rate == 16000 and place.partition(":")[0].endswith(("wav.1.ark", "wav.2.ark"))
        np.testing.assert_array_equal(loaded, wav)
        np.testing.assert_array_equal(read_audio(place)[0], wav.astype(np.float32))
    assert len(list((corpus / "raw").rglob("*.ark"))) == 2 and not (corpus / "raw/data").exists()


def test_one_channel_of_several_can_be_chosen(tmp_path):
    left, right = speech(), 0.5 * speech()
    soundfile.write(tmp_path / "both.wav", np.stack([left, right], axis=1), RATE)
    write_data_dir(tmp_path / "data", [Utterance("s1-a", "s1", "a", str(tmp_path / "both.wav"))])
    for channel, peak in ((1, 0.3), (2, 0.15), (None, 0.225)):
        dump(tmp_path, f"raw{channel}", 1, channel=channel, trim_silence=False)
        [path] = read_scp(tmp_path / f"raw{channel}/wav.scp").values()
        assert np.abs(soundfile.read(path)[0]).max() == pytest.approx(peak, abs=0.01)
    with pytest.raises(RuntimeError, match="has 2 channels, and no channel 3"):
        dump(tmp_path, "raw3", 1, channel=3)


def test_bad_recordings_are_listed_and_left_out_by_the_filter(tmp_path, caplog):
    random = np.random.default_rng(0)
    sounds = {
        "s1-clipped": np.clip(5 * speech(), -1, 1),
        "s1-good": speech(),
        "s1-loud": speech() / 0.3,  # at full scale, and not beyond
        "s1-soft": 1e-3 * random.standard_normal(RATE),
    }
    for utt_id, wav in sounds.items():
        soundfile.write(tmp_path / f"{utt_id}.wav", wav, RATE)
    write_data_dir(tmp_path / "data", [Utterance(u, "s1", "a", str(tmp_path / f"{u}.wav")) for u in sounds])
    with caplog.at_level("INFO"):
        dump(tmp_path, "org", 1, fs=24000, trim_silence=False)
    assert "4 recordings of 22050 Hz, less than the 24000 Hz wanted" in caplog.text
    filter_audio(str(tmp_path / "org"), str(tmp_path / "all"), 24000)
    assert len(read_scp(tmp_path / "all/wav.scp")) == 4 and not (tmp_path / "all/dropped.tsv").read_text()
    [line] = (tmp_path / "all/clipped.tsv").read_text().splitlines()
    assert line.startswith("s1-clipped\t") and line.endswith("% of the samples cut off at full scale")
    filter_audio(str(tmp_path / "org"), str(tmp_path / "raw"), 24000, min_peak=-40, max_clipping=0.01)
    dropped = dict(line.split("\t") for line in (tmp_path / "raw/dropped.tsv").read_text().splitlines())
    assert set(dropped) == {"s1-clipped", "s1-soft"} and not (tmp_path / "raw/clipped.tsv").read_text()
    assert "more than 1.00%" in dropped["s1-clipped"] and "less than -40" in dropped["s1-soft"]


def test_tables_that_do_not_fit_are_listed_with_file_and_line(corpus):
    data = corpus / "data"
    text = read_scp(data / "text")
    del text["s1-3"]
    write_scp(data / "text", text | {"s1-nobody": "a sentence"})
    for job in (1, 2):
        audio_dump(str(data), str(corpus / "raw"), job=job, num_jobs=2)
    combine(str(corpus / "raw"), str(data), max_skipped=0.6)
    odd = [line.split("\t") for line in (corpus / "raw/odd_lines.tsv").read_text().splitlines()]
    assert [str(data / "text"), "s1-3", "has no transcript: left out"] in odd
    assert [f"{data}/text:7", "s1-nobody", "is not in utt2spk: not used; add it there, or remove the line"] in odd
    assert [f"{data}/text:12", "s2-untold", "the transcript is empty: left out"] in odd
    assert len(odd) == 3
    assert "no transcript" in read_scp(corpus / "raw/skipped.tsv")["s1-3"]
    with open(data / "text", "a") as out:
        out.write("s2-untold twice\n")
    with pytest.raises(ValueError, match=r"text: the key 's2-untold' appears twice \(line 13\)"):
        dump(corpus, "again", 1)


def test_silence_is_trimmed(corpus):
    dump(corpus, "raw", fs=16000, trim_silence=True)
    assert abs(int(read_scp(corpus / "raw/utt2num_samples")["s1-0"]) / 16000 - 0.8) < 0.06


def test_second_call_does_nothing_and_a_killed_one_goes_on(corpus, monkeypatch):
    import silvertalk.data.audio_dump as module

    written = []

    def write_audio(path, wav, rate, real=module.write_audio):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path.stem)
        real(path, wav, rate)

    monkeypatch.setattr(module, "write_audio", write_audio)
    with pytest.raises(KeyboardInterrupt):
        dump(corpus, "raw", num_jobs=1)
    monkeypatch.undo()
    assert len(list((corpus / "raw/data").rglob("*.flac"))) == 3
    first = {path: path.stat().st_mtime_ns for path in (corpus / "raw/data").rglob("*.flac")}
    dump(corpus, "raw", num_jobs=3)
    after = {path: path.stat().st_mtime_ns for path in (corpus / "raw/data").rglob("*.flac")}
    assert len(after) == 6 and first.items() <= after.items()
    dump(corpus, "raw", num_jobs=2)
    assert after == {path: path.stat().st_mtime_ns for path in (corpus / "raw/data").rglob("*.flac")}


def test_segments_are_cut_out(tmp_path):
    soundfile.write(tmp_path / "long.wav", np.concatenate([speech(), 0.5 * speech()]), RATE)
    path = str(tmp_path / "long.wav")
    segments = [Utterance("s1-a", "s1", "a", path, None, 0.0, 1.6), Utterance("s1-b", "s1", "b", path, None, 1.6, 3.2)]
    write_data_dir(tmp_path / "data", segments)
    audio_dump(str(tmp_path / "data"), str(tmp_path / "raw"), trim_silence=False)
    combine(str(tmp_path / "raw"), str(tmp_path / "data"))
    peaks = [np.abs(soundfile.read(p)[0]).max() for p in read_scp(tmp_path / "raw/wav.scp").values()]
    np.testing.assert_allclose(peaks, [0.3, 0.15], atol=0.01)


def test_wrong_options(corpus):
    with pytest.raises(ValueError, match="audio_format"):
        audio_dump(str(corpus / "data"), str(corpus / "raw"), audio_format="mp3")
    with pytest.raises(ValueError, match="8000"):
        audio_dump(str(corpus / "data"), str(corpus / "raw"), fs=16)
    with pytest.raises(FileNotFoundError, match="run stage 1"):
        audio_dump(str(corpus / "nothing"), str(corpus / "raw"))
