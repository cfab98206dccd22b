import numpy as np
import pytest
import soundfile

from silvertalk.bin.audio_dump import audio_dump
from silvertalk.bin.combine_parts import combine
from silvertalk.data import Utterance, read_scp, validate_data_dir, write_data_dir

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
