import pytest

from silvertalk.data import Utterance, read_data_dir, read_scp, shard, validate_data_dir, write_data_dir, write_scp
from silvertalk.data.kaldi import sorted_table


def utterances():
    return [
        Utterance("s10-b", "s10", "the second", "/a/s10-b.wav", "/a/s10-b.mpg"),
        Utterance("s1-a", "s1", "the first", "/a/s1 a.wav", "/a/s1-a.mpg"),
        Utterance("s1-B", "s1", "große Überraschung", "/a/s1-B.wav", "/a/s1-B.mpg"),
    ]


def test_scp_round_trip_sorted_by_bytes(tmp_path):
    entries = {"b": "2", "a": "x y  z", "B": "ü", "a-1": "", "a1": "/path with space"}
    write_scp(tmp_path / "x.scp", entries)
    assert list(read_scp(tmp_path / "x.scp")) == ["B", "a", "a-1", "a1", "b"]
    assert read_scp(tmp_path / "x.scp") == entries
    assert [p.name for p in tmp_path.iterdir()] == ["x.scp"]


def test_scp_takes_tabs_and_keeps_no_break_spaces(tmp_path):
    (tmp_path / "text").write_text("a\tone two\n\nb   10\u00a0km\u3000weit\n", encoding="utf-8")
    assert read_scp(tmp_path / "text") == {"a": "one two", "b": "10\u00a0km\u3000weit"}


def test_scp_names_file_and_double_key(tmp_path):
    (tmp_path / "wav.scp").write_text("a 1\nb 2\na 3\n")
    with pytest.raises(ValueError, match=r"wav.scp: the key 'a'"):
        read_scp(tmp_path / "wav.scp")


def test_data_dir_round_trip(tmp_path):
    write_data_dir(tmp_path, utterances())
    validate_data_dir(tmp_path)
    assert read_data_dir(tmp_path) == sorted(utterances(), key=lambda u: u.utt_id.encode())
    assert (tmp_path / "spk2utt").read_text() == "s1 s1-B s1-a\ns10 s10-b\n"
    assert not (tmp_path / "segments").exists()


def test_segments(tmp_path):
    with_times = [
        Utterance("s1-a", "s1", "a", "/r.wav", None, 1.25, 3.5),
        Utterance("s1-b", "s1", "b", "/r.wav", None, 4.0, 5.0),
    ]
    write_data_dir(tmp_path, with_times)
    validate_data_dir(tmp_path)
    assert read_data_dir(tmp_path) == with_times
    assert not (tmp_path / "video.scp").exists()


def test_table_sorted_on_disk_is_sorted_by_bytes(tmp_path):
    keys = [f"{a}{b}{c}" for a in "bBaé" for b in "-_. z"[::-1].replace(" ", "0") for c in "1092"]
    with sorted_table(tmp_path / "x") as add:
        for key in keys:
            add(key, f"a b {key}")
    assert list(read_scp(tmp_path / "x")) == sorted(keys, key=str.encode)
    with pytest.raises(KeyError), sorted_table(tmp_path / "x") as add:
        add("a", 1)
        raise KeyError
    assert len(read_scp(tmp_path / "x")) == len(keys) and [p.name for p in tmp_path.iterdir()] == ["x"]


def test_place_of_the_face_and_one_jobs_share(tmp_path):
    wanted = [
        Utterance("a-1", "a", video="/a.mp4"),
        Utterance("a-2", "a", video="/a.mp4", face=(0.25, 0.5)),
        Utterance("b-1", "b", video="/b.mp4"),
    ]
    write_data_dir(tmp_path, reversed(wanted))
    validate_data_dir(tmp_path)
    assert (tmp_path / "utt2face").read_text() == "a-2 0.2500 0.5000\n"
    assert read_data_dir(tmp_path) == wanted
    assert read_data_dir(tmp_path, 1, 2) == wanted[::2]


def test_unsorted_tables_are_not_read(tmp_path):
    write_data_dir(tmp_path, utterances())
    lines = (tmp_path / "text").read_text().splitlines()
    (tmp_path / "text").write_text("\n".join(lines[::-1]) + "\n")
    with pytest.raises(ValueError, match="text is not sorted: 's1-a'"):
        read_data_dir(tmp_path)


def test_start_without_end_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="s1-a"):
        write_data_dir(tmp_path, [Utterance("s1-a", "s1", wav="/r.wav", start=2.0)])


def test_tables_of_an_earlier_call_go_away(tmp_path):
    write_data_dir(tmp_path, [Utterance("s1-a", "s1", "a", "/r.wav", "/r.mp4", 1.0, 2.0)])
    write_data_dir(tmp_path, [Utterance("s1-a", "s1", wav="/r.wav")])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["spk2utt", "utt2spk", "wav.scp"]


def rewrite(path, *changes):
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("text", "s1-a the first\n", "", r"text: 's1-a' is missing"),
        ("wav.scp", "s10-b", "s9-b", r"wav.scp: 's10-b' is missing"),
        ("video.scp", "s1-a /a/s1-a.mpg\n", "s1-a /a\ns1-aa /a\n", r"video.scp: 's1-aa' is not in"),
        ("text", "s1-B", "t1-B", r"text is not sorted"),
        ("spk2utt", "s10 s10-b", "s10 s10-c", r"spk2utt does not match"),
        ("utt2spk", "s1-a s1\n", "s1-a s2\n", r"does not start with its speaker"),
    ],
)
def test_validation_says_where(tmp_path, name, old, new, message):
    write_data_dir(tmp_path, utterances())
    rewrite(tmp_path / name, (old, new))
    with pytest.raises(ValueError, match=message):
        validate_data_dir(tmp_path)


def test_validation_of_missing_and_empty(tmp_path):
    with pytest.raises(FileNotFoundError, match="utt2spk"):
        validate_data_dir(tmp_path)
    write_data_dir(tmp_path, utterances())
    (tmp_path / "utt2spk").write_text("")
    with pytest.raises(ValueError, match="empty"):
        validate_data_dir(tmp_path)


def test_speakers_must_sort_as_their_utterances_do(tmp_path):
    write_data_dir(tmp_path, [Utterance("s1_z", "s1", wav="/z"), Utterance("s10_a", "s10", wav="/a")])
    with pytest.raises(ValueError, match="not sorted by speaker"):
        validate_data_dir(tmp_path)


@pytest.mark.parametrize("num_jobs", [1, 2, 3, 7])
@pytest.mark.parametrize("kind", [list, iter])
def test_shards_share_everything(num_jobs, kind):
    items = list(range(10))
    shares = [list(shard(kind(items), job, num_jobs)) for job in range(1, num_jobs + 1)]
    assert sorted(sum(shares, [])) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("job", [0, 3, -1])
def test_job_number_out_of_range(job):
    with pytest.raises(ValueError, match="1..2"):
        shard([1, 2], job, 2)
