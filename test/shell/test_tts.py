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
. "@ROOT@/local/tts.sh"
train_cmd=@ROOT@/local/run_local.sh
python=@TMP@/python
nj=2 dumpdir=dump token_type=char cleaner=none g2p=none language=auto normalise=none tts_exp=exp/tts decode_tag=latest
token_list=dump/token_list/char/tokens.txt
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
