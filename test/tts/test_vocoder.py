"""The vocoder of a voice that draws spectrograms."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from silvertalk.bin.tts_vocoder import main
from silvertalk.tts import Synthesizer
from silvertalk.tts.default import load_voice
from silvertalk.tts.store import store_voice
from silvertalk.tts.vocoder import choose_vocoder, find_vocoder

ROOT = Path(__file__).resolve().parents[2]
HOP = 256


@pytest.fixture(scope="module")
def tacotron(build_model, tmp_path_factory):
    """A Tacotron 2 of random weights."""
    import torch
    from espnet2.utils.yaml_no_alias_safe_dump import yaml_no_alias_safe_dump

    folder = tmp_path_factory.mktemp("tts_tacotron")
    torch.manual_seed(0)
    small = {"embed_dim": 8, "econv_chans": 8, "eunits": 8, "adim": 8, "aconv_chans": 4, "dunits": 16}
    small |= {"prenet_units": 8, "postnet_chans": 8, "econv_layers": 1, "postnet_layers": 1}
    options = [word for key, value in small.items() for word in ("--tts_conf", f"{key}={value}")]
    arguments, model = build_model(ROOT / "conf/mini/train_tacotron2.yaml", 16000, HOP, *options)
    torch.save(model.state_dict(), folder / "latest.pth")
    (folder / "config.yaml").write_text(yaml_no_alias_safe_dump(vars(arguments)))
    return folder


@pytest.fixture
def voice(tacotron, tmp_path):
    """Its folder without a vocoder."""
    folder = tmp_path / "exp/tts_tacotron"
    folder.mkdir(parents=True)
    for path in tacotron.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture
def vocoder(tmp_path):
    """A checkpoint for the stand-in of ParallelWaveGAN."""
    folder = tmp_path / "voc"
    folder.mkdir()
    (folder / "checkpoint.pkl").write_text("0.25")
    features = {"sampling_rate": 16000, "hop_size": HOP, "num_mels": 80}
    (folder / "config.yml").write_text(yaml.safe_dump(features))
    return folder / "checkpoint.pkl"


@pytest.fixture
def parallel_wavegan(monkeypatch):
    """Stands in for the package: a vocoder whose every sample is the number in its checkpoint."""
    import torch

    class Constant(torch.nn.Module):
        def __init__(self, value):
            super().__init__()
            self.value = value

        def inference(self, feats, normalize_before):
            assert feats.shape[1] == 80
            return torch.full((len(feats) * HOP, 1), self.value)

    package, utils = ModuleType("parallel_wavegan"), ModuleType("parallel_wavegan.utils")
    utils.load_model = lambda path, config: Constant(float(Path(path).read_text()))
    monkeypatch.setitem(sys.modules, "parallel_wavegan", package)
    monkeypatch.setitem(sys.modules, "parallel_wavegan.utils", utils)


def said(folder, **options):
    """The values of the samples of a sentence."""
    wav, rate = load_voice("nowhere", folder, **options)("at noon")
    assert rate == 16000 and len(wav) % HOP == 0
    return set(np.unique(wav).tolist())


def test_the_voice_speaks_with_the_vocoder_of_stage_8(voice, vocoder, parallel_wavegan, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["--exp_dir", str(voice), "--vocoder_file", ""])
    assert capsys.readouterr().out == "\n" and not (voice / "vocoder.yaml").exists()
    main(["--exp_dir", str(voice), "--vocoder_file", "voc/checkpoint.pkl"])
    assert capsys.readouterr().out == f"{vocoder}\n"
    monkeypatch.chdir(voice)  # the name holds from everywhere
    assert said(voice) == {0.25}
    assert load_voice("nowhere", voice).name == f"tts_tacotron with {vocoder} (torch fp32)"
    main(["--exp_dir", str(voice), "--vocoder_file", ""])  # a voice keeps it
    assert capsys.readouterr().out == f"{vocoder}\n"
    other = vocoder.with_name("other.pkl")
    other.write_text("0.5")
    assert said(voice, vocoder_file=other) == {0.5} and said(voice) == {0.25}
    assert len(said(voice, vocoder_file="none")) > 100  # Griffin-Lim
    main(["--exp_dir", str(voice), "--vocoder_file", "none"])
    assert capsys.readouterr().out == "\n" and not (voice / "vocoder.yaml").exists()
    assert len(said(voice)) > 100


def test_a_stored_voice_takes_its_vocoder_along(voice, vocoder, parallel_wavegan, tmp_path):
    choose_vocoder(voice, str(vocoder))
    store_voice(str(voice), str(tmp_path / "out"))
    vocoder.unlink()
    (tmp_path / "out").rename(tmp_path / "moved")
    assert find_vocoder(tmp_path / "moved") == tmp_path / "moved/vocoder/checkpoint.pkl"
    assert said(tmp_path / "moved") == {0.25}


def test_a_vocoder_that_is_gone_or_changed_is_an_error(voice, vocoder, parallel_wavegan):
    choose_vocoder(voice, str(vocoder))
    vocoder.write_text("0.75")
    with pytest.raises(ValueError, match="checkpoint.pkl is another vocoder than .*vocoder.yaml noted; run stage 8"):
        load_voice("nowhere", voice)
    vocoder.with_name("config.yml").unlink()
    with pytest.raises(FileNotFoundError, match="no .*config.yml, which .*vocoder.yaml names; put it back"):
        load_voice("nowhere", voice)
    (voice / "vocoder.yaml").write_text("checkpoint.pkl\n")
    with pytest.raises(ValueError, match="vocoder.yaml does not say vocoder_file and sha256; run stage 8"):
        choose_vocoder(voice)


def test_a_vocoder_that_does_not_fit_is_refused(voice, vocoder, tiny_voice, monkeypatch):
    monkeypatch.setitem(sys.modules, "parallel_wavegan", None)
    with pytest.raises(RuntimeError, match="checkpoint.pkl needs the package parallel_wavegan .*install it"):
        Synthesizer.from_exp(voice, vocoder_file=vocoder)
    with pytest.raises(SystemExit, match="error: .*parallel_wavegan"):
        main(["--exp_dir", str(voice), "--vocoder_file", str(vocoder)])
    assert not (voice / "vocoder.yaml").exists()
    with pytest.raises(ValueError, match="jets makes sound itself"):
        choose_vocoder(tiny_voice, str(vocoder))
    with pytest.raises(FileNotFoundError, match="no .*gone.pkl; give --vocoder_file"):
        choose_vocoder(voice, str(vocoder.with_name("gone.pkl")))
    with pytest.raises(ValueError, match="by its suffix .pkl"):
        choose_vocoder(voice, str(vocoder.with_name("config.yml")))
    vocoder.with_name("config.yml").write_text("sampling_rate: 24000\n")
    with pytest.raises(ValueError, match="config.yml has sampling_rate 24000, the voice fs 16000: name a vocoder"):
        choose_vocoder(voice, str(vocoder))
