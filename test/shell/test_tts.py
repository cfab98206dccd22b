"""Stages 5 and 8 of local/tts.sh with a stand-in for ESPnet's inference program."""

import pytest

# Speaks nothing: writes the files that espnet2.bin.tts_inference leaves for JETS.
FAKE_PYTHON = r"""#!/usr/bin/env bash
set -euo pipefail
if [ "$2" != espnet2.bin.tts_inference ]; then exec "${REAL_PYTHON}" "$@"; fi
while [ $# -gt 0 ]; do
    case $1 in --key_file) keys=$2 ;; --output_dir) out=$2 ;; esac
    shift
done
mkdir -p "${out}/wav" "${out}/durations" "${out}/speech_shape"
: >"${out}/speech_shape/speech_shape"
while read -r utt_id; do
    echo "${utt_id}" >>"${COUNT}"
    if [ "${utt_id}" = "${BREAK_AT:-}" ]; then exit 1; fi
    echo sound >"${out}/wav/${utt_id}.wav"
    echo "${utt_id} 1 2 3" >>"${out}/durations/durations"
done <"${keys}"
"""

DECODE = r"""
set -euo pipefail
. "@ROOT@/local/common.sh"
. "@ROOT@/local/stages.sh"
. "@ROOT@/local/tts.sh"
train_cmd=@ROOT@/local/run_local.sh
python=@TMP@/python
nj=2 dumpdir=dump token_type=char cleaner=none g2p=none language=auto normalise=none tts_exp=exp/tts decode_tag=latest
decode_sets="dev eval1" use_teacher_forcing=false vocoder_file= tts_decode_args=
tts_task=auto teacher_exp= tts_config=a.yaml
token_list=dump/token_list/char/tokens.txt srctexts= tts_pretrain_config=
fs=16000 n_fft=1024 hop_length=256 tts_train_args= tts_stats_dir=exp/stats tts_decode_dir=
trains_voice=true use_sid=false use_lid=false use_spk_embed=false
"$@"
"""

TEXTS = {
    "dev": {"s1-a": "ab", "s1-b": "b a", "s1-c": "a!b", "s1-d": "ba"},
    "eval1": {"s1-e": "a"},
}


@pytest.fixture
def recipe(tmp_path, root, shell):
    """A function that calls one of the sourced functions in a folder with two sets and a voice."""
    import sys

    for name, texts in TEXTS.items():
        folder = tmp_path / "dump/raw" / name
        folder.mkdir(parents=True)
        (folder / "text").write_text("".join(f"{k} {v}\n" for k, v in texts.items()))
    (tmp_path / "exp/tts").mkdir(parents=True)
    (tmp_path / "exp/tts/config.yaml").write_text("token_list: ['<blank>', '<unk>', '<space>', a, b, '<sos/eos>']\n")
    (tmp_path / "exp/tts/latest.pth").touch()
    (tmp_path / "python").write_text(FAKE_PYTHON)
    (tmp_path / "python").chmod(0o755)
    script = tmp_path / "recipe.sh"
    script.write_text(DECODE.replace("@ROOT@", str(root)).replace("@TMP@", str(tmp_path)))

    def run(*command, **variables):
        variables = {"REAL_PYTHON": sys.executable, "COUNT": str(tmp_path / "count"), **variables}
        return shell("bash", script, *command, timeout=300, PYTHONPATH=str(root), **variables)

    return run


def keys(path):
    return [line.split()[0] for line in path.read_text().splitlines()]


@pytest.mark.recipe  # seconds
def test_decoding_merges_the_jobs_and_lists_what_it_cannot_speak(recipe, tmp_path):
    done = recipe("tts_decode")
    assert done.returncode == 0, done.stdout
    dev = tmp_path / "exp/tts/decode_latest/dev"
    assert keys(dev / "wav/wav.scp") == ["s1-a", "s1-b", "s1-d"]
    assert keys(dev / "durations/durations") == ["s1-a", "s1-b", "s1-d"]
    assert sorted(path.name for path in (dev / "wav").glob("*.wav")) == ["s1-a.wav", "s1-b.wav", "s1-d.wav"]
    assert (dev / "skipped.tsv").read_text().startswith("s1-c\t'a!b' has '!'")
    assert "s1-c" in done.stdout
    # One utterance: one job, although nj is 2.
    assert keys(dev.with_name("eval1") / "wav/wav.scp") == ["s1-e"]


@pytest.mark.recipe  # seconds
def test_a_decoding_that_failed_goes_on_with_the_jobs_that_are_missing(recipe, tmp_path):
    assert recipe("tts_decode", BREAK_AT="s1-b").returncode != 0
    (tmp_path / "count").unlink()
    done = recipe("tts_decode")
    assert done.returncode == 0, done.stdout
    assert keys(tmp_path / "count") == ["s1-b", "s1-e"]
    assert keys(tmp_path / "exp/tts/decode_latest/dev/wav/wav.scp") == ["s1-a", "s1-b", "s1-d"]
    (tmp_path / "count").unlink()
    assert recipe("tts_decode").returncode == 0
    assert not (tmp_path / "count").exists()


@pytest.mark.recipe
def test_a_voice_with_a_front_end_speaks_the_text_as_it_is_read_aloud(recipe, tmp_path):
    (tmp_path / "exp/tts/text.yaml").write_text("language: en\nnormalise: auto\ng2p: none\n")
    (tmp_path / "dump/raw/dev/text").write_text('s1-a ab\ns1-c "a" b ☂\n', encoding="utf-8")
    done = recipe("tts_decode")
    assert done.returncode == 0, done.stdout
    dev = tmp_path / "exp/tts/decode_latest/dev"
    assert (dev / "text").read_text() == "s1-a ab\ns1-c a b\n"
    assert (dev / "text.unknown.tsv").read_text(encoding="utf-8") == "s1-c\t7\t☂\tUMBRELLA\n"
    assert keys(dev / "wav/wav.scp") == ["s1-a", "s1-c"]


def test_transcripts_are_rewritten_before_the_token_list(recipe, tmp_path):
    train = tmp_path / "dump/raw/tr_no_dev"
    train.mkdir()
    (train / "text").write_text("s1-f 3시\n", encoding="utf-8")
    # Only the worker that rewrites is run; ESPnet's tokenizer takes seconds to start.
    stand_in = """
        only_text() {
            shift
            case $* in
                *tts_text*) "$@" 2>/dev/null ;;
                *) touch "${token_list%.txt}.new.txt" ;;
            esac
        }
        train_cmd=only_text language=ko normalise=auto
        tts_token_list
        tts_set_text dev"""
    done = recipe("eval", stand_in)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "dump/raw/srctexts").read_text(encoding="utf-8") == "s1-f 세 시\n"
    assert "dump/token_list/char/text/dev" in done.stdout


def test_a_missing_checkpoint_names_those_that_are_there(recipe, tmp_path):
    (tmp_path / "exp/tts/latest.pth").rename(tmp_path / "exp/tts/7epoch.pth")
    done = recipe("tts_decode")
    assert done.returncode == 1
    assert "no exp/tts/latest.pth" in done.stdout and "7epoch.pth" in done.stdout


MODEL = """
    is_outside() { false; }
    tts_exp= decode_tag=
    tts_choose_model
    echo "${tts_model} ${tts_task} ${decode_tag} $(tts_stats_name raw_phn_tacotron_g2p_en_no_space)"
"""


@pytest.mark.parametrize(
    "yaml, told",
    [
        ("tts: jets  # 2022", "jets gan_tts train.total_count.ave tts_stats_raw_phn_tacotron_g2p_en_no_space"),
        ("tts: 'tacotron2'", "tacotron2 tts train.loss.ave tts_stats_raw_phn_tacotron_g2p_en_no_space"),
        (
            "tts: vits",
            "vits gan_tts train.total_count.ave tts_stats_raw_linear_spectrogram_phn_tacotron_g2p_en_no_space",
        ),
    ],
)
def test_task_checkpoint_and_folder_follow_the_model(yaml, told, recipe, tmp_path):
    (tmp_path / "a.yaml").write_text(f"# tts: comment\n{yaml}\ntts_conf: {{}}\n")
    done = recipe("eval", MODEL)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines() == [told]


@pytest.mark.parametrize(
    "yaml, settings, message",
    [
        ("tts: jets", "tts_task=tts", "--tts_task tts does not fit a.yaml: tts: jets is trained by gan_tts"),
        ("tts: wavenet", "", "tts: 'wavenet', which is no model"),
        ("tts: transformer", "", "can be used (--tts_exp), not trained here"),
        ("tts: fastspeech2", "", "add --teacher_exp"),
        ("tts: fastspeech2", "teacher_exp=exp/none", "no exp/none/config.yaml"),
        ("tts: jets", "teacher_exp=exp/tts", "--teacher_exp is for FastSpeech 2"),
        ("tts: vits", "vocoder_file=a.pkl", "--vocoder_file is for models of spectrograms"),
        ("tts: jets", "use_teacher_forcing=true", "--use_teacher_forcing true is for models of spectrograms"),
        ("tts: tacotron2", "vocoder_file=a.pth", "by its suffix .pkl"),
        ("tts: tacotron2", "vocoder_file=./a.pkl", "parallel_wavegan, which is not installed"),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused(yaml, settings, message, recipe, tmp_path):
    (tmp_path / "a.yaml").write_text(f"{yaml}\n")
    (tmp_path / "a.pkl").touch()
    (tmp_path / "config.yml").touch()
    done = recipe("eval", f"{settings}\npython=false\n{MODEL}")
    assert done.returncode == 1
    assert message in done.stdout


def test_a_voice_of_the_zoo_has_its_average_without_the_short_name(recipe, tmp_path):
    (tmp_path / "exp/tts/train.loss.ave_5best.pth").touch()
    done = recipe("eval", "decode_tag=train.loss.ave; tts_weights")
    assert done.stdout.strip() == "exp/tts/train.loss.ave_5best.pth"
