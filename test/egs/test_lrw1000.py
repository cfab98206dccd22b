"""LRW-1000: words as pictures of mouths, up to two steps of the expert's training."""

import cv2
import pytest

from silvertalk.data import read_scp
from silvertalk.media import read_frames

SETS = {"trn": ["d8f1", "d8f2"], "val": ["e001"], "tst": ["f001"]}
WORDS = [("中国", "zhong guo", "0.2", "0.72"), ("经济", "jing ji", "0.8", "1.24")]
TINY = "--model.width 0.0625 --data.batch_size 4 --data.num_workers 0 --trainer.precision 32-true"
SHORT = "--guard.steps 2 --trainer.max_epoch 1 --trainer.num_iters_per_epoch 2 --trainer.num_valid_iters 1"


@pytest.fixture
def corpus(tmp_path, talking, write_sound):
    """The published tree: 36 pictures of a mouth for each video, and the sound of two words in them."""
    root = tmp_path / "LRW1000_Public"
    mouths = [frame[frame.shape[0] // 2 :, ::-1, ::-1] for frame in read_frames(talking[0], 25, end=1.44)]
    (root / "info").mkdir(parents=True)
    joined = []
    for name, videos in SETS.items():
        lines = [f"{video},{','.join(word)}" for video in videos for word in WORDS]
        (root / f"info/{name}_1000.txt").write_text("\n".join(lines) + "\n")
        for video in videos:
            (root / "images" / video).mkdir(parents=True)
            for number, mouth in enumerate(mouths, 1):
                cv2.imwrite(str(root / f"images/{video}/{number}.jpg"), mouth)
            for number, (characters, pinyin, start, end) in enumerate(WORDS):
                sound = f"{video}a{number}"
                write_sound(root / f"audio/{sound}.wav", start=float(start), end=float(end))
                joined.append(f"{video},{sound},{characters},{pinyin},{start}0,{end}")
    (root / "info/all_audio_video.txt").write_text("\n".join(joined) + "\n")
    return root


def test_stages_1_to_4_and_9(tmp_path, corpus, run_recipe, data_sets):
    (corpus / "audio/d8f1a0.wav").write_bytes(b"RIFF")
    (corpus / "images/d8f2/25.jpg").write_bytes(b"")
    options = ("--stop_stage", 9, "--syncnet_train_args", f"{TINY} {SHORT}")
    result = run_recipe("lrw1000/sync1", "--db_root", corpus, *options)
    assert result.returncode == 0, result.stdout
    sets = data_sets()
    assert [u.text for u in sets["eval1"]] == ["zhong guo", "jing ji"]
    assert [u.video for u in sets["eval1"]] == [f"{corpus}/images/f001[5:18]", f"{corpus}/images/f001[20:31]"]
    work = tmp_path / "work"
    assert read_scp(work / "dump/face/eval1/utt2num_frames") == {
        "f001-000020-000072-zhong_guo": "13",
        "f001-000080-000124-jing_ji": "11",
    }
    assert list(read_scp(work / "dump/face/tr_no_dev/mel.scp")) == [
        "d8f1-000080-000124-jing_ji",
        "d8f2-000020-000072-zhong_guo",
    ]
    assert "25.jpg" in (work / "dump/face/org/tr_no_dev/skipped.tsv").read_text()
    assert not (work / "dump/face/eval1/landmarks.scp").exists()
    assert (work / "exp/syncnet_train_syncnet/1epoch.pth").is_file()
    assert not (work / "dump/token_list").exists()


def test_the_generator_is_not_trained_on_mouths(run_recipe):
    result = run_recipe("lrw1000/sync1", "--stop_stage", 10)
    assert result.returncode and "serves the expert only: add --stop_stage 9" in result.stdout
