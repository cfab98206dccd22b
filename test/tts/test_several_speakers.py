"""Stages 2 to 8 for a tiny voice of two speakers and two languages, with ESPnet itself."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from silvertalk.data import Utterance, read_scp, write_data_dir
from silvertalk.tts import Synthesizer
from silvertalk.tts.options import SpeakOptions

ROOT = Path(__file__).resolve().parents[2]
RATE = 16000
# Speaker: pitch (Hz) and words.
SPEAKERS = {"s1": (110, "ab ba"), "s2": (190, "가나 나"), "s3": (150, "ba ab")}
SETS = {
    "tr_no_dev": {"s1": 3, "s2": 3},
    "dev": {"s1": 1, "s2": 1},
    "eval1": {"s1": 1, "s2": 1, "s3": 1},  # s3 was never heard before
}


def recording(pitch: int, seed: int) -> np.ndarray:
    """A second of a vowel-like sound, with a breath of noise."""
    t = np.arange(RATE) / RATE
    noise = np.random.default_rng(seed).standard_normal(RATE)
    tone = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 20))
    return 0.2 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t)) + 0.003 * noise


def tiny_config(path: Path) -> None:
    """The mini configuration with next to no weights, for two iterations."""
    config = yaml.safe_load((ROOT / "conf/mini/train_jets.yaml").read_text(encoding="utf-8"))
    small = {"adim": 16, "eunits": 16, "dunits": 16, "elayers": 1, "dlayers": 1, "generator_channels": 32}
    small |= {f"{name}_predictor_chans": 16 for name in ("duration", "pitch", "energy")}
    config["tts_conf"]["generator_params"] |= small
    config |= {"max_epoch": 1, "num_iters_per_epoch": 2, "batch_size": 2, "num_workers": 0, "num_att_plot": 0}
    path.write_text(yaml.safe_dump(config))


@pytest.mark.long
def test_two_speakers_are_learnt_and_speak(tmp_path, warm_python):
    for name, counts in SETS.items():
        utterances = []
        for spk, count in counts.items():
            for k in range(count):
                path = tmp_path / f"wav/{spk}-{name}-{k}.wav"
                path.parent.mkdir(exist_ok=True)
                soundfile.write(path, recording(SPEAKERS[spk][0], k), RATE)
                utterances.append(Utterance(path.stem, spk, SPEAKERS[spk][1], str(path)))
        write_data_dir(tmp_path / "data" / name, utterances)
    tiny_config(tmp_path / "train_jets.yaml")
    options = "--stage 2 --stop_stage 8 --corpus test --nj 1 --audio_format flac.ark --use_sid true --use_lid true"
    options += " --use_spk_embed true --decode_tag latest --decode_sets eval1 --tts_config train_jets.yaml --workdir ."
    run = subprocess.run(
        [ROOT / "run.sh", *options.split()],
        cwd=tmp_path,
        env=os.environ | {"SILVERTALK_PYTHON": str(warm_python)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr

    voice = tmp_path / "exp/tts_train_jets_raw_char_none_none"
    model = yaml.safe_load((voice / "config.yaml").read_text(encoding="utf-8"))["tts_conf"]["generator_params"]
    assert (model["spks"], model["langs"], model["spk_embed_dim"], model["adim"]) == (3, 3, 256, 16)
    decoded = voice / "decode_latest/eval1"
    assert list(read_scp(decoded / "wav/wav.scp")) == ["s1-eval1-0", "s2-eval1-0"]
    assert "s3-eval1-0\tthe voice has not learnt the speaker 's3'" in (decoded / "skipped.tsv").read_text()
    assert read_scp(decoded / "log/utt2lid") == {"s1-eval1-0": "1", "s2-eval1-0": "2"}

    synthesizer = Synthesizer.from_exp(voice)
    assert synthesizer.speakers.names == ["s1", "s2"]
    first, second = (synthesizer("ab", SpeakOptions(speaker=spk, language="en"))[0] for spk in ("s1", "s2"))
    assert len(first) != len(second) or np.abs(first - second).max() > 1e-4
    own = synthesizer("가나 나", SpeakOptions(speaker="s2"))[0]
    np.testing.assert_allclose(own, soundfile.read(decoded / "wav/s2-eval1-0.wav")[0], atol=1e-3)
