"""A folder of the user's own videos."""

import logging
import sys
import types
import unicodedata

import numpy as np
import pytest

from silvertalk.data import Utterance, read_data_dir, validate_data_dir
from silvertalk.data.corpora import own
from silvertalk.data.prepare import prepare

RATE = 16000


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def speech(*parts: float, seed: int = 0) -> np.ndarray:
    """Sound of speech (positive seconds; noise in syllables) and pauses (negative ones; very quiet noise)."""
    random = np.random.default_rng(seed)
    pieces = []
    for seconds in parts:
        time = np.arange(round(abs(seconds) * RATE)) / RATE
        loud = 0.3 * np.abs(np.sin(2 * np.pi * 2 * time)) if seconds > 0 else 0
        pieces.append((loud + 1e-4) * random.standard_normal(len(time)))
    return np.concatenate(pieces).astype(np.float32)


@pytest.fixture
def recordings(monkeypatch):
    """What the videos hold: file name -> sound. One that is not here cannot be read, a "blind" one has no picture."""
    sounds: dict[str, np.ndarray] = {}

    def probe(path):
        if path.rpartition("/")[2] not in sounds:
            raise RuntimeError(f"{path}: cannot be opened")
        return types.SimpleNamespace(width=0 if "blind" in path else 320, is_image=False)

    monkeypatch.setattr(own, "probe", probe)
    monkeypatch.setattr(own, "read_audio", lambda path, rate: (sounds[path.rpartition("/")[2]], rate))
    return sounds


def ids(corpus):
    return sorted(u.utt_id for utterances in corpus.sets.values() for u in utterances)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("clip.01", "clip.01"),
        ("내 영상 (1)", "내_영상_1"),
        (unicodedata.normalize("NFD", "내 영상"), "내_영상"),
        ("a-b", "a_b"),
        ("((", "x"),
    ],
)
def test_names_become_ids(name, clean):
    assert own.clean_name(name) == clean


def test_long_names_stay_file_names_and_apart():
    names = {own.clean_name("긴이름" * 25 + end) for end in "ab"}
    assert len(names) == 2 and all(len(name.encode()) < 100 for name in names)


def test_one_speaker_or_a_folder_each(tmp_path):
    for name in ("b.MP4", "a b.v2.webm", "._b.mp4", "notes.txt", "photo.jpg"):
        put(tmp_path / "My-Films" / name)
    assert [v.utt_id for v in own.find_videos(tmp_path / "My-Films")] == ["My_Films-a_b.v2", "My_Films-b"]
    assert [v.utt_id for v in own.find_videos(tmp_path / "My-Films", "김 할머니")] == [
        "김_할머니-a_b.v2",
        "김_할머니-b",
    ]
    put(tmp_path / "Anna/day 1/x.mov")
    put(tmp_path / "empty/readme.md")
    put(tmp_path / ".trash/y.mov")
    videos = own.find_videos(tmp_path)
    assert [v.utt_id for v in videos] == ["Anna-day_1_x", "My_Films-a_b.v2", "My_Films-b"]
    assert [v.spk for v in videos] == ["Anna", "My_Films", "My_Films"]
    assert {v.spk for v in own.find_videos(tmp_path, "all")} == {"all"}


def test_doubtful_folders_are_asked_about(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no videos .*README.md"):
        own.find_videos(tmp_path)
    put(tmp_path / "a.mp4")
    put(tmp_path / "old/a.mp4")
    with pytest.raises(ValueError, match=r"a.mp4\) and folders of videos \(old\): .* --spk"):
        own.find_videos(tmp_path)
    assert [v.utt_id for v in own.find_videos(tmp_path, "me")] == ["me-a", "me-old_a"]
    put(tmp_path / "a.mov")
    with pytest.raises(ValueError, match=r"a.mov' and '.*a.mp4' would both be 'me-a'; rename"):
        own.find_videos(tmp_path, "me")
    put(tmp_path / "many/x y/a.mp4")
    put(tmp_path / "many/x-y/a.mp4")
    with pytest.raises(ValueError, match="folders 'x y' and 'x-y' would both be 'x_y'|folders 'x-y' and 'x y'"):
        own.find_videos(tmp_path / "many")


def test_transcripts_beside_and_in_tables(tmp_path, caplog):
    for name in ("a.mp4", "b.x.mp4", "한.mp4", "c.mp4", "d.mp4"):
        put(tmp_path / "anna" / name)
    put(tmp_path / "anna/a.txt", "\ufeff First\n  line. \n")
    lines = ["anna/a.mp4|not this", "anna/b.x|two|three", r"anna\c.mp4|  back  slash ", "", "gone.mp4|nobody"]
    put(tmp_path / "transcripts.txt", "\r\n".join(lines))
    (tmp_path / "anna/transcripts.txt").write_bytes(
        (unicodedata.normalize("NFC", "한.mp4|안녕") + "\n").encode("cp949")
    )
    (tmp_path / "anna/한.mp4").rename(tmp_path / "anna" / unicodedata.normalize("NFD", "한.mp4"))
    videos = own.find_videos(tmp_path)
    with caplog.at_level(logging.WARNING):
        unused = own.give_texts(tmp_path, videos)
    assert [v.text for v in videos] == ["First line.", "two|three", "back slash", "", "안녕"]
    assert list(unused.values()) == ["nobody"] and "gone.mp4" in caplog.text


def test_bad_table_is_named(tmp_path):
    put(tmp_path / "a.mp4")
    put(tmp_path / "transcripts.txt", "a.mp4|good\nb.mp4 bad\n")
    with pytest.raises(ValueError, match="transcripts.txt:2: 'b.mp4 bad' is not"):
        own.give_texts(tmp_path, own.find_videos(tmp_path))


def test_long_videos_are_cut_at_pauses():
    wav = speech(-1, 3, -0.6, 3, -0.6, 3, -3, 2, -1.5, 0.1, -2)
    spans = own.find_utterances(wav, own.speech_mask(wav), 8.0)
    bounds = [(1, 7.6), (8.2, 11.2), (14.2, 16.2)]  # of the speech; the short noise is left out
    assert len(spans) == len(bounds)
    for (start, end), (first, last) in zip(spans, bounds, strict=True):
        assert first - 0.3 < start <= first + 0.1 and last - 0.1 <= end < last + 0.4
        assert end - start <= 8


def test_speech_without_a_pause_is_cut_where_it_is_softest():
    wav = speech(21)
    mask = np.ones(1 + len(wav) * 80 // RATE, bool)
    spans = own.find_utterances(wav, mask, 10.0)
    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert spans[0][0] == 0 and abs(spans[-1][1] - 21) < 0.02 and len(spans) >= 3
    assert all(own.SHORTEST <= end - start <= 10 for start, end in spans)
    for start, _ in spans[1:]:
        assert abs(start * 2 - round(start * 2)) < 0.1  # the syllables of the sound meet every half second


def test_transcripts_of_long_videos_cannot_be_divided(tmp_path, recordings, caplog):
    for k in range(6):
        put(tmp_path / f"short{k}.mp4")
        put(tmp_path / f"short{k}.txt", f"number {k}")
        recordings[f"short{k}.mp4"] = speech(2, seed=k)
    recordings |= {"long.mp4": speech(6, -2, 6), "middle.mp4": speech(6, -2, 5)}
    for name in ("long", "middle"):
        put(tmp_path / f"{name}.mp4")
        put(tmp_path / f"{name}.txt", "a long story")
    with caplog.at_level(logging.WARNING):
        corpus = own.read(str(tmp_path), spk="me", max_text_seconds=13.5)
    assert ids(corpus)[0].startswith("me-long-00") and ids(corpus)[2:] == [
        "me-middle",
        *(f"me-short{k}" for k in range(6)),
    ]
    texts = {u.utt_id: u.text for utterances in corpus.sets.values() for u in utterances}
    assert texts["me-middle"] == "a long story" and texts["me-short1"] == "number 1" and texts[ids(corpus)[0]] == ""
    assert "long.mp4 is too long for its transcript" in caplog.text and "middle" not in caplog.text
    # The test sets are of videos with transcripts.
    assert all(u.text for name in ("dev", "eval1") for u in corpus.sets[name])


def test_no_video_is_in_two_sets_and_nj_does_not_matter(tmp_path, recordings):
    for k in range(8):
        put(tmp_path / f"{k}.mp4")
        recordings[f"{k}.mp4"] = speech(4, -1.5, 4, -1.5, 4, seed=k)
    one, four = (own.read(str(tmp_path), nj=nj, spk="me") for nj in (1, 4))
    assert one == four and one.shares_speakers
    videos = [{u.video for u in utterances} for utterances in one.sets.values()]
    assert sum(map(len, videos)) == 8 and len(set.union(*videos)) == 8 and all(videos)
    assert all(u.text is None for utterances in one.sets.values() for u in utterances)  # so stages 5 to 8 are left out


def test_three_speakers_have_a_set_each(tmp_path, recordings):
    for spk in ("a", "b", "c"):
        for k in range(2):
            put(tmp_path / f"{spk}/{spk}{k}.mp4")
            recordings[f"{spk}{k}.mp4"] = speech(2)
    corpus = own.read(str(tmp_path))
    assert not corpus.shares_speakers
    assert sorted({u.spk for u in utterances}.pop() for utterances in corpus.sets.values()) == ["a", "b", "c"]


def group(name, *texts):
    return [Utterance(f"{name}-{k}", name.partition("-")[0], text, "/x", "/x") for k, text in enumerate(texts)]


def test_few_transcripts_are_not_used(caplog):
    sets, _ = own.hold_out([group(f"me-{k}", "text" if k < 2 else "") for k in range(5)], 0.2, 0.2)
    with caplog.at_level(logging.WARNING):
        own.drop_few_texts(sets)
    assert all(u.text is None for utterances in sets.values() for u in utterances)
    assert "too few for a voice, so none is used" in caplog.text


def test_unusable_videos_are_listed_with_a_reason(tmp_path, recordings):
    for name in ("a", "b", "c", "d", "e", "blind", "broken", "mute"):
        put(tmp_path / f"{name}.mp4")
        recordings[f"{name}.mp4"] = speech(2)
    recordings["mute.mp4"] = speech(-2)
    del recordings["broken.mp4"]
    corpus = own.read(str(tmp_path), spk="me")
    assert ids(corpus) == [f"me-{name}" for name in "abcde"]
    assert set(corpus.skipped) == {"me-blind", "me-broken", "me-mute"}
    assert corpus.skipped["me-mute"] == "nobody is heard to speak" and "picture" in corpus.skipped["me-blind"]
    assert "cannot be opened" in corpus.skipped["me-broken"]


def test_number_of_videos(tmp_path, recordings, caplog):
    for k in range(4):
        put(tmp_path / f"{k}.mp4")
        recordings[f"{k}.mp4"] = speech(2)
    with caplog.at_level(logging.WARNING):
        own.read(str(tmp_path))
    assert "4 videos are few" in caplog.text
    del recordings["2.mp4"], recordings["3.mp4"]
    with pytest.raises(ValueError, match=r"2 videos can be used.*-2' cannot be used: .*2.mp4: cannot be opened.* add"):
        own.read(str(tmp_path))


def test_worker_writes_segments(tmp_path, recordings):
    for k in range(5):
        put(tmp_path / f"films/{k}.mp4")
        recordings[f"{k}.mp4"] = speech(4, -1.5, 8, seed=k)
    prepare(own, str(tmp_path / "data"), db_root=str(tmp_path / "films"), spk="me")
    for name in ("tr_no_dev", "dev", "eval1"):
        validate_data_dir(tmp_path / "data" / name)
    utterances = read_data_dir(tmp_path / "data/dev")
    assert [u.start > 5 for u in utterances] == [False, True]
    assert utterances[0].wav == utterances[0].video == utterances[1].video


def test_options_and_folders_that_cannot_be(tmp_path):
    with pytest.raises(ValueError, match="--db_root"):
        own.read("")
    with pytest.raises(ValueError, match="--max_seconds 30"):
        own.read(str(tmp_path), max_seconds=30)
    with pytest.raises(FileNotFoundError, match="model.bin; give --whisper_model"):
        own.read(str(tmp_path), whisper_model=str(tmp_path))


def test_recogniser_writes_what_is_missing(tmp_path, recordings, monkeypatch):
    for name in ("model.bin", "config.json", "tokenizer.json"):
        put(tmp_path / "model" / name)
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(RuntimeError, match="install the package faster-whisper"):
        own.read(str(tmp_path), whisper_model=str(tmp_path / "model"))

    class WhisperModel:
        def __init__(self, folder, num_workers, local_files_only, **_):
            assert folder == str(tmp_path / "model") and num_workers == 2 and local_files_only

        def transcribe(self, wav, language, **_):
            assert language == "ko"
            return [
                types.SimpleNamespace(text=f" heard {len(wav) / RATE:.0f}"),
                types.SimpleNamespace(text=" s "),
            ], None

    monkeypatch.setitem(sys.modules, "faster_whisper", types.SimpleNamespace(WhisperModel=WhisperModel))
    for k in range(5):
        put(tmp_path / f"films/{k}.mp4")
        recordings[f"{k}.mp4"] = speech(4, -3, 4)
    put(tmp_path / "films/3.txt", "written by hand")
    corpus = own.read(str(tmp_path / "films"), nj=2, spk="me", whisper_model=str(tmp_path / "model"), language="ko")
    texts = {u.utt_id: u.text for utterances in corpus.sets.values() for u in utterances}
    assert texts.pop("me-3") == "written by hand" and set(texts.values()) == {"heard 4 s"} and len(texts) == 8
