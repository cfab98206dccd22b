import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from silvertalk.media.whisper import FILES, Whisper


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of weights, and a module that stands in for faster-whisper."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for name in FILES:
        (folder / name).touch()

    class WhisperModel:
        def __init__(self, path, device, compute_type, num_workers, local_files_only):
            assert Path(path).is_dir() and local_files_only and (device, compute_type) == ("cpu", "int8")

        def transcribe(self, wav, language, temperature, **options):
            assert wav.dtype == np.float32 and language == "ko" and temperature == 0
            return iter([SimpleNamespace(text=" 안녕하세요."), SimpleNamespace(text=" 3시예요. ")]), None

    monkeypatch.setitem(sys.modules, "faster_whisper", SimpleNamespace(WhisperModel=WhisperModel))
    return folder


def test_sentences_are_written_down(folder):
    whisper = Whisper(folder, "ko")
    assert whisper(np.ones(4000)) == "안녕하세요. 3시예요."
    assert whisper(np.zeros(4000)) == whisper(np.ones(100)) == ""
    assert whisper.description == "Whisper (tiny, int8)"


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_and_never_downloaded(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name}; give --whisper_model"):
        Whisper(folder)


def test_without_the_package_its_name_is_said(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(RuntimeError, match="install the package faster-whisper"):
        Whisper(folder)
