"""The published pickles, in and out, and those from somewhere else."""

import os
import pickle
import struct
import time
import tracemalloc
from pathlib import Path

import kaldiio
import numpy as np
import pytest

from silvertalk.data import read_scp
from silvertalk.makeittalk.published import safe_pickle
from silvertalk.makeittalk.published.pickles import export_pickles, import_pickles, write_list, write_lists
from silvertalk.makeittalk.published.safe_pickle import read_list, read_pickle
from silvertalk.makeittalk.statistics import Statistics
from silvertalk.makeittalk.training.clips import MATRICES, load_portrait_clips


def clips(count: int, frames: int = 40) -> list:
    generator, shared = np.random.default_rng(0), np.ones(256, np.float32)
    return [
        (generator.random((frames, 204)), (k, f"ann_{k}.mp4", shared if k % 2 else generator.random(256)))
        for k in range(count)
    ]


def same(given, wanted) -> None:
    """Compare containers of arrays."""
    if isinstance(wanted, np.ndarray):
        assert given.dtype == wanted.dtype
        np.testing.assert_array_equal(given, wanted)
    elif isinstance(wanted, tuple | list):
        assert type(given) is type(wanted) and len(given) == len(wanted)
        for a, b in zip(given, wanted, strict=True):
            same(a, b)
    elif isinstance(wanted, dict):
        assert list(given) == list(wanted)
        same(list(given.values()), list(wanted.values()))
    else:
        assert given == wanted


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol_are_read(protocol, tmp_path):
    content = {
        "a": np.arange(6, dtype=">f4").reshape(2, 3), "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "t": np.array(["x", "yz"]), "n": [None, True, False, -1, 2**40, 1.5, "ü", b"\xff\0", b"", np.float64(2), ()],
        3: (np.zeros((0, 2), np.int8), {"k": [1, [2]]}, (1, 2, 3, 4)),
    }  # fmt: skip
    path = tmp_path / "x.pickle"
    path.write_bytes(pickle.dumps(content, protocol))
    same(read_pickle(path), content)
    wanted = clips(1203, 2)  # more than the thousand that pickle appends at once
    path.write_bytes(pickle.dumps(wanted, protocol))
    same(list(read_list(path)), wanted)


class Evil:
    """What an ordinary reader would run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", (0, 2, 4))
def test_pickles_from_somewhere_else_are_refused_and_not_run(protocol, tmp_path):
    trap, path = tmp_path / "trap", tmp_path / "x.pickle"
    evil = Evil(trap)
    for content in (evil, [evil], {"a": evil}, [(np.zeros(2), evil)], np.array([evil], object), [(np.zeros(1), Evil)]):
        path.write_bytes(pickle.dumps(content, protocol))
        for read in (read_pickle, lambda p: list(read_list(p))):
            with pytest.raises(ValueError, match=r"x\.pickle: .*refused.*nothing of it was run"):
                read(path)
    assert not trap.exists()
    pickle.loads(pickle.dumps(evil, protocol))
    assert trap.exists()  # the trap works


def references(opening: bytes, closing: bytes) -> bytes:
    """Thirty containers, each holding the one before ten times: 10^30 in all."""
    levels = (opening + b"(" + b"h%c" % k * 10 + closing + b"q%c" % (k + 1) for k in range(30))
    return b"\x80\x02]q\x00" + b"".join(levels) + b"."


BOMBS = {
    "lists in lists": references(b"]", b"e"),
    "tuples in tuples": references(b"", b"t"),
    "keys of a dictionary": references(b"", b"t")[:-1] + b"}(h\x1eNu.",
    "a list in itself": b"\x80\x02]q\x00h\x00a.",
    "copies of a text": b"\x80\x02(X"
    + struct.pack("<I", 50_000)
    + b"a" * 50_000
    + b"q\x00c_codecs\nencode\nq\x01"
    + b"h\x01h\x00X\x06\x00\x00\x00latin1\x86R" * 1000
    + b"l.",
    "a huge array": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85C\x01b\x87R"
    + b"(K\x01J\xff\xff\xff\x7f\x85cnumpy\ndtype\nX\x02\x00\x00\x00f8\x85R\x89C\x08aaaaaaaatb.",
    "an array made in the usual way": b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85\x85R.",
    "a huge type": b"\x80\x02cnumpy.core.multiarray\nscalar\n"
    b"cnumpy\ndtype\nX\x0a\x00\x00\x00V999999999\x85RC\x00\x86R.",
    "much that is marked": b"\x80\x02" + b"(" * 10_001 + b".",
    "long bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 45) + b"a.",
    "a long bytearray": b"\x80\x05\x96" + struct.pack("<Q", 1 << 45) + b"a.",
    "a long frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 45) + b"N.",
    "a long number": b"\x80\x02\x8b\xff\xff\xff\x7f\x01.",
    "something outside": b"\x80\x02K\x01Q.",
    "what stands there again": b"\x80\x02]2222222222.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_pickles_that_would_fill_the_memory_are_refused(name, tmp_path, monkeypatch):
    monkeypatch.setattr(safe_pickle, "MOST_OPCODES", 10_000)
    path = tmp_path / "x.pickle"
    path.write_bytes(BOMBS[name])
    for read in (read_pickle, lambda p: list(read_list(p))):
        tracemalloc.start()
        began = time.process_time()
        with pytest.raises(ValueError, match=r"x\.pickle: .*(nothing of it was run|is damaged)"):
            read(path)
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert taken < 4e6 and time.process_time() - began < 10


def test_references_to_numbers_text_and_arrays_are_followed(tmp_path):
    array, text = np.arange(3.0), "text" * 10
    content = {"a": [array, array], "b": {text: text}, "c": (text, array)}
    (tmp_path / "x.pickle").write_bytes(pickle.dumps(content))
    given = read_pickle(tmp_path / "x.pickle")
    same(given, content)
    assert given["a"][0] is given["a"][1] is given["c"][1]


def test_damaged_pickles_are_named(tmp_path):
    path, whole = tmp_path / "x.pickle", pickle.dumps(clips(3))
    for damaged in (b"", b"no pickle", whole[:-5000], whole[:500], b"\x80\x04]", b"\x80\x04.", b"\x80\x04h\x05."):
        path.write_bytes(damaged)
        for read in (read_pickle, lambda p: list(read_list(p))):
            with pytest.raises(ValueError, match=r"x\.pickle"):
                read(path)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ValueError, match="other things than pairs"):
        list(read_list(path))
    with pytest.raises(FileNotFoundError, match="none.pickle"):
        read_pickle(tmp_path / "none.pickle")


def test_lists_are_read_and_written_clip_by_clip(tmp_path):
    def many():
        for k in range(300):
            yield np.full((100, 204), k, float), (k, "name", np.ones(256))

    path = tmp_path / "x.pickle"
    tracemalloc.start()
    write_list(path, many())
    for matrix, (k, _, _) in read_list(path):
        assert matrix[0, 0] == k
    ours = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 45e6 and ours < 4e6
    path.write_bytes(pickle.dumps([item for item, _ in zip(many(), range(99), strict=False)]))
    tracemalloc.start()
    assert sum(1 for _ in read_list(path)) == 99  # as pickle itself writes them
    assert tracemalloc.get_traced_memory()[1] < 4e6
    tracemalloc.stop()


def test_what_is_written_pickle_reads(tmp_path):
    wanted = clips(3)
    write_list(tmp_path / "list", iter(wanted))
    same(pickle.loads((tmp_path / "list").read_bytes()), wanted)
    assert b"numpy._core" not in (tmp_path / "list").read_bytes()  # which numpy before 2.0 does not know
    write_lists(tmp_path / "lists", {"a": (m for m, _ in wanted), "b": iter([])})
    same(pickle.loads((tmp_path / "lists").read_bytes()), {"a": [m for m, _ in wanted], "b": []})


def test_dump_survives_export_and_import(portrait_dump, tmp_path):
    assert export_pickles(portrait_dump, tmp_path / "out", "mine") == {"mine_val": 2, "mine_train": 3}
    sound, faces, gaze = (
        pickle.loads((tmp_path / "out" / f"mine_train_{kind}.pickle").read_bytes()) for kind in ("au", "fl", "gaze")
    )
    assert [matrix.shape for matrix, _ in sound] == [(60, 80)] * 3 and faces[0][0].shape == (60, 204)
    assert {key: [v.shape for v in value] for key, value in gaze.items()} == {
        "rot_trans": [(60, 3, 4)] * 3, "rot_quat": [(60, 4)] * 3, "anchor_t_shape": [(60, 68, 3)] * 3,
    }  # fmt: skip
    points = np.c_[faces[0][0][7].reshape(68, 3), np.ones(68)]
    np.testing.assert_allclose(points @ gaze["rot_trans"][0][7].T, gaze["anchor_t_shape"][0][7], atol=1e-5)
    voices = read_pickle(tmp_path / "out" / "emb.pickle")
    assert sorted(voices) == sorted({*read_scp(portrait_dump / "tr_no_dev" / "spk2utt"), "d"})
    assert {voice.shape for voice in voices.values()} == {(256,)}

    result = import_pickles(tmp_path / "out", "mine", tmp_path / "dump", portrait_dump)
    assert result == {"tr_no_dev": (3, {}), "dev": (2, {})}
    again = tmp_path / "dump" / "tr_no_dev"
    for name in set(MATRICES) - {"pose", "registered"}:  # those are measured anew
        tables = (kaldiio.load_scp(str(folder / f"{name}.scp")) for folder in (portrait_dump / "tr_no_dev", again))
        for given, wanted in zip(*(table.values() for table in tables), strict=True):
            np.testing.assert_allclose(given, wanted)
    assert set(read_scp(again / "utt2spk").values()) == set(read_scp(portrait_dump / "tr_no_dev" / "utt2spk").values())
    Statistics.load(tmp_path / "dump")
    assert len(load_portrait_clips(again, min_frames=60)) == 3  # two branches can be trained on it
    with pytest.raises(FileNotFoundError, match="video.scp"):
        load_portrait_clips(again, min_pictures=2)
    # What is there is not done again.
    for path in Path(tmp_path / "dump" / "tr_no_dev").glob("*.scp"):
        path.unlink()
    assert import_pickles(tmp_path / "out", "mine", tmp_path / "dump", portrait_dump) == result


def test_clips_whose_lengths_differ_are_cut_or_skipped(portrait_dump, tmp_path, caplog):
    emb = np.ones(256, np.float32)
    sound = [(np.zeros((n, 80)), (k, f"x/c{k}.mp4", emb)) for k, n in enumerate((100, 100, 100))]
    faces = [(np.random.default_rng(k).random((n, 204)), ()) for k, n in enumerate((100, 97, 60))]
    write_list(tmp_path / "n_test_au.pickle", sound)
    write_list(tmp_path / "n_test_fl.pickle", faces)
    result = import_pickles(tmp_path, "n", tmp_path / "dump", portrait_dump)
    assert result == {"eval1": (2, {"n-000002-c2": "has 100 frames of sound and 60 of landmarks"})}
    assert read_scp(tmp_path / "dump" / "eval1" / "utt2num_frames") == {"n-000000-c0": "100", "n-000001-c1": "97"}
    assert "n-000001-c1: 100 frames of sound, 97 of landmarks" in caplog.text


def test_import_refuses_other_lists(portrait_dump, tmp_path):
    with pytest.raises(FileNotFoundError, match="n_train_au.pickle"):
        import_pickles(tmp_path, "n", tmp_path / "dump", portrait_dump)
    info = (0, "c.mp4", np.ones(256))
    write_list(tmp_path / "n_train_fl.pickle", [(np.zeros((9, 204)), info)])
    for matrix, what, reason in (
        (np.zeros((9, 79)), info, r"clip 0 is \(9, 79\), not a float matrix \(T, 80\)"),
        (np.zeros((9, 80)), (0, "c.mp4"), r"does not say \(index, file name, embedding"),
    ):
        write_list(tmp_path / "n_train_au.pickle", [(matrix, what)])
        with pytest.raises(ValueError, match=reason):
            import_pickles(tmp_path, "n", tmp_path / "dump", portrait_dump)
    write_list(tmp_path / "n_train_au.pickle", [(np.zeros((9, 80)), info)] * 2)
    with pytest.raises(ValueError, match="unequally many clips"):
        import_pickles(tmp_path, "n", tmp_path / "dump2", portrait_dump)
