import kaldiio
import numpy as np
import pytest

from silvertalk.data import PartWriter, combine_parts, read_scp, validate_data_dir

IDS = [f"s1-{k}" for k in range(6)]


def matrix(utt_id):
    return np.full((3 + int(utt_id[-1]), 4), int(utt_id[-1]), np.float32)


def write(out_dir, job, ids):
    with PartWriter(out_dir, job) as out:
        for utt_id in ids:
            if utt_id not in out.done:
                out.add(utt_id, {"mel": matrix(utt_id)}, {"utt2num_frames": len(matrix(utt_id)), "utt2spk": "s1"})


def check(out_dir):
    done, skipped = combine_parts(out_dir, IDS)
    assert (done, skipped) == (6, {})
    for utt_id, place in read_scp(out_dir / "mel.scp").items():
        np.testing.assert_array_equal(kaldiio.load_mat(place), matrix(utt_id))
    assert read_scp(out_dir / "utt2num_frames") == {utt_id: str(len(matrix(utt_id))) for utt_id in IDS}


def test_jobs_are_merged(tmp_path):
    write(tmp_path, 1, IDS[::2])
    write(tmp_path, 2, IDS[1::2])
    check(tmp_path)
    assert (tmp_path / "skipped.tsv").read_text() == ""
    assert read_scp(tmp_path / "spk2utt") == {"s1": " ".join(IDS)}


def test_half_a_manifest_line_is_done_again(tmp_path):
    write(tmp_path, 1, IDS[:3])
    manifest = tmp_path / "parts/part.1.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-25])
    write(tmp_path, 1, IDS)
    check(tmp_path)


def test_half_an_archive_entry_is_cut_off(tmp_path):
    write(tmp_path, 1, IDS[:3])
    with open(tmp_path / "parts/mel.1.ark", "ab") as ark:
        ark.write(b"s1-3 \x00BFM \x04half")
    write(tmp_path, 1, IDS)
    check(tmp_path)
    assert len(list(kaldiio.load_ark(str(tmp_path / "parts/mel.1.ark")))) == 6


def test_archive_without_any_manifest_line_starts_anew(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/mel.1.ark").write_bytes(b"junk of a killed run")
    write(tmp_path, 1, IDS)
    check(tmp_path)


def test_another_number_of_jobs_goes_on(tmp_path):
    write(tmp_path, 3, IDS[:2])
    write(tmp_path, 1, IDS)
    assert len((tmp_path / "parts/part.1.jsonl").read_text().splitlines()) == 4
    check(tmp_path)


def test_skipped_utterances_are_listed(tmp_path):
    with PartWriter(tmp_path, 1) as out:
        for utt_id in IDS[:4]:
            out.add(utt_id, {}, {"wav.scp": f"/{utt_id}.wav", "utt2spk": "s1", "text": "a"})
        out.skip(IDS[4], "no face\nat all")
        out.skip(IDS[5], "silent")
    done, skipped = combine_parts(tmp_path, IDS)
    assert done == 4 and skipped == {"s1-4": "no face at all", "s1-5": "silent"}
    assert (tmp_path / "skipped.tsv").read_text() == "s1-4\tno face at all\ns1-5\tsilent\n"
    assert (tmp_path / "feats_type").read_text() == "raw\n"
    validate_data_dir(tmp_path)


def test_too_many_skipped_or_missing_is_an_error(tmp_path):
    write(tmp_path, 1, IDS[:2])
    with pytest.raises(RuntimeError, match="4 utterances were not processed, the first is 's1-2'"):
        combine_parts(tmp_path, IDS)
    with PartWriter(tmp_path, 1) as out:
        for utt_id in IDS[2:]:
            out.skip(utt_id, "no face")
    with pytest.raises(RuntimeError, match=r"4 of 6 .*'s1-2': no face"):
        combine_parts(tmp_path, IDS)
    assert combine_parts(tmp_path, IDS, max_skipped=0.7)[0] == 2


def test_utterances_of_an_earlier_corpus_are_left_out(tmp_path):
    write(tmp_path, 1, IDS)
    combine_parts(tmp_path, IDS[:3])
    assert list(read_scp(tmp_path / "mel.scp")) == IDS[:3]
