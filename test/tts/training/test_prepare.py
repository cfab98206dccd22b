"""What ESPnet is told in stages 6 to 8, and of which utterances.

espnet_arguments.tsv has the arguments as local/tts.sh once put them together itself: case, file, words.
"""

import re
from pathlib import Path

import pytest
import yaml

from silvertalk.data import read_scp
from silvertalk.tts.training.arguments import VoiceOptions
from silvertalk.tts.training.prepare import prepare_decode, prepare_stats, prepare_train

ROOT = Path(__file__).resolve().parents[3]
EXPECTED = {}
for line in Path(__file__).with_name("espnet_arguments.tsv").read_text().splitlines():
    case, part, words = line.split("\t")
    EXPECTED.setdefault(case, {})[part] = words.replace("ROOT/", f"{ROOT}/").split(" ")
TOKENS = ["<blank>", "<unk>", "<space>", *"abtwo", "<sos/eos>"]
# Case: model, folder of stage 6, use_sid, use_lid, use_spk_embed, options of training and decoding.
CASES = {
    "tacotron2": ("tacotron2", "", "", "--max_epoch 3 --tts_conf adim=8", "--maxlenratio 5"),
    "vitsid": ("vits", "sid lid", "", "", ""),
    "all": ("jets", "sid lid spk_embed", "", "", ""),
    "fast": ("fastspeech2", "", "teacher", "", ""),
}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A dump of two speakers in the working directory: a function that gives the options of a case."""
    monkeypatch.chdir(tmp_path)
    for name in ("tr_no_dev", "dev", "eval1"):
        folder = tmp_path / "dump/raw" / name
        folder.mkdir(parents=True)
        for table, value in (("text", "ab ba two"), ("wav.scp", "/x/a.wav"), ("utt2num_samples", "40000")):
            (folder / table).write_text("".join(f"{key} {value}\n" for key in ("a-1", "a-2", "b-1")))
        (folder / "utt2spk").write_text("a-1 a\na-2 a\nb-1 b\n")
    embeddings = tmp_path / "dump/spk_embed/tr_no_dev/spk_embed.ark"
    embeddings.parent.mkdir(parents=True)
    embeddings.touch()
    tokens = Path("dump/token_list/char/tokens.txt")
    tokens.parent.mkdir(parents=True)
    tokens.write_text("\n".join(TOKENS) + "\n")

    def make(model: str, stats_dir: str, used: str = "", train_args: str = "", **more) -> VoiceOptions:
        conf = str(ROOT / f"conf/mini/train_{model}.yaml")
        used = {f"use_{name}": True for name in used.split()}
        return VoiceOptions(conf, stats_dir, str(tokens), train_args, **used, **more)

    return make


def lines(path) -> list[str]:
    return Path(path).read_text().splitlines()


def value_of(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def write_voice(folder: Path, **config) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"token_list": TOKENS, "cleaner": None} | config))


@pytest.mark.parametrize("case", CASES)
def test_espnet_is_told_what_it_was_always_told(case, recipe, tmp_path):
    (model, used, teacher, train_args, decode_args), expected = CASES[case], EXPECTED[case]
    stats = Path(value_of(expected["stats"], "--output_dir")).parents[1]
    exp_dir = value_of(expected["train"], "--output_dir")
    voice = recipe(model, str(stats), used, train_args)
    if teacher:
        write_voice(tmp_path / teacher)

    prepare_stats(voice, nj=2, spk="" if used else "main", teacher_exp=teacher)
    assert lines(stats / "logdir/arguments") == expected["stats"]
    for part in ("train", "valid"):
        if teacher:
            assert lines(stats / f"logdir/durations.{part}.arguments") == expected[f"durations.{part}"]
        keys = [lines(stats / f"logdir/{part}.{job}.scp") for job in (1, 2)]
        assert keys == ([["a-1", "b-1"], ["a-2"]] if used or part == "valid" else [["a-1"], ["a-2"]])

    for kind in ("feats", "pitch", "energy"):
        (stats / f"train/{kind}_stats.npz").parent.mkdir(parents=True, exist_ok=True)
        (stats / f"train/{kind}_stats.npz").touch()
    prepare_train(voice, exp_dir)
    assert lines(f"{exp_dir}/log/arguments") == expected["train"]
    assert Path(exp_dir, "spk2sid").is_file() == ("sid" in used.split())
    assert Path(exp_dir, "feats_stats.npz").is_file() == (model != "vits")

    size = {"spk_embed_dim": 256} if "spk_embed" in used else {}
    write_voice(Path(exp_dir), tts=model, tts_conf={"generator_params": size})
    folder = Path(value_of(expected["decode"], "--train_config")).parents[2]
    weights = value_of(expected["decode"], "--model_file")
    prepare_decode(voice, exp_dir, weights, str(folder), ["eval1"], 2, decode_args=decode_args)
    assert lines(folder / "eval1/log/arguments") == expected["decode"]
    assert lines(folder / "eval1/log/jobs") == ["2"]
    assert yaml.safe_load((folder / "eval1/log/config.yaml").read_text())["tts"] == model


def test_the_training_begins_where_it_is_told(recipe, tmp_path):
    voice = recipe("jets", "stats")
    for kind in ("feats", "pitch", "energy"):
        (tmp_path / f"stats/train/{kind}_stats.npz").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"stats/train/{kind}_stats.npz").touch()
    for more, start in (({}, None), ({"init": True}, "init"), ({"init": True, "pretrain": True}, "joined")):
        prepare_train(voice, "exp", **more)
        words = lines("exp/log/arguments")
        assert ("--init_param" in words) == (start is not None)
        assert start is None or value_of(words, "--init_param") == f"exp/{start}.pth"
    dry = lines("exp/log/init.arguments")
    assert dry[-6:] == ["--dry_run", "true", "--output_dir", "exp/log/init", "--ngpu", "0"]
    assert dry[:-6] == words[: words.index("--init_param")]
    (tmp_path / "exp/restart.pth").touch()
    prepare_train(voice, "exp", num_nodes=2, init=True)
    words = lines("exp/log/arguments")
    assert value_of(words, "--init_param") == "exp/restart.pth" and value_of(words, "--dist_backend") == "gloo"
    (tmp_path / "stats/train/pitch_stats.npz").unlink()
    with pytest.raises(FileNotFoundError, match="pitch_stats.npz; run stage 6"):
        prepare_train(voice, "exp")


def test_archives_phonemes_and_vocoders(recipe, tmp_path):
    scp = tmp_path / "dump/raw/eval1/wav.scp"
    scp.write_text("a-1 /x/wav.ark:7\n")
    voice = recipe("tacotron2", "stats", g2p="espeak", token_type="phn", normalise="auto")
    assert voice.sound("eval1") == "dump/raw/eval1/wav.scp,speech,kaldi_ark"
    assert voice.text("dev") == "dump/token_list/char/text/dev" and voice.espnet_g2p == "none"
    write_voice(tmp_path / "exp", tts="tacotron2", tts_conf={"spk_embed_dim": None}, token_type="char")
    options = {"use_teacher_forcing": True, "vocoder_file": "v/a.pkl", "decode_args": "--threshold 0.4"}
    prepare_decode(voice, "exp", "exp/latest.pth", "out", ["eval1"], 1, **options)
    told = lines("out/eval1/log/arguments")
    more = "--use_teacher_forcing true --vocoder_file v/a.pkl --vocoder_config v/config.yml --threshold 0.4"
    assert told[-8:] == more.split(" ")
    prepare_decode(recipe("jets", "stats"), "exp", "other.pth", "out", ["eval1"], 1)
    assert lines("out/eval1/log/arguments") == told  # its jobs may be at work


def test_speakers_and_languages_of_the_chosen_utterances_are_numbered(recipe, tmp_path):
    (tmp_path / "dump/raw/dev/utt2spk").write_text("a-1 a\na-2 a\nb-1 c\n")
    prepare_stats(recipe("jets", "stats", "sid"), nj=9)
    assert read_scp("stats/spk2sid") == {"<unk>": "0", "a": "1", "b": "2"}
    assert read_scp("stats/valid/utt2sid") == {"a-1": "1", "a-2": "1"}
    assert re.search("^b-1\tthe voice has not learnt the speaker 'c'", Path("stats/skipped.valid.tsv").read_text())
    assert not Path("stats/lang2lid").exists() and lines("stats/logdir/jobs") == ["2"]
    with pytest.raises(ValueError, match="no utterance of speaker 'z'"):
        prepare_stats(recipe("jets", "stats"), nj=1, spk="z")
