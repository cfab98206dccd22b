"""Sound that is written while it is made."""

import io

import numpy as np
import pytest
import soundfile

from silvertalk.media import read_audio
from silvertalk.media.sound_writer import SoundWriter

WAV = (0.5 * np.sin(np.arange(8000) * 0.05)).astype(np.float32)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_file_appears_when_it_is_whole(tmp_path, suffix):
    path = tmp_path / "new" / f"a.{suffix}"
    with SoundWriter(path, 16000) as out:
        assert not path.parent.exists()  # nothing is begun before there is sound
        for piece in np.split(WAV, 4):
            out.write(piece)
        assert not path.exists()
    assert out.num_samples == 8000 and out.seconds == 0.5
    wav, rate = soundfile.read(path, dtype="float32")
    assert rate == 16000 and len(wav) == 8000
    if suffix in ("wav", "flac"):
        np.testing.assert_allclose(wav, WAV, atol=1 / 32767)


def test_an_error_leaves_an_older_file_alone(tmp_path):
    path = tmp_path / "a.wav"
    path.write_text("older")
    with pytest.raises(ZeroDivisionError), SoundWriter(path, 16000) as out:
        out.write(WAV)
        raise ZeroDivisionError
    assert path.read_text() == "older" and list(tmp_path.iterdir()) == [path]


def test_a_stream_can_be_played_while_it_grows(tmp_path):
    stream = io.BytesIO()
    with SoundWriter(stream, 16000) as out:
        out.write(3 * WAV)  # louder than full scale
        (tmp_path / "half.wav").write_bytes(stream.getvalue())
        out.write(WAV)
    (tmp_path / "whole.wav").write_bytes(stream.getvalue())
    assert len(stream.getvalue()) == 44 + 2 * 16000
    for read in (lambda path: soundfile.read(path, dtype="float32"), read_audio):
        half, rate = read(tmp_path / "half.wav")
        np.testing.assert_allclose(half, np.clip(3 * WAV, -1, 1), atol=1e-4)
        whole, _ = read(tmp_path / "whole.wav")
        np.testing.assert_allclose(whole[8000:], WAV, atol=1e-4)
    assert rate == 16000


@pytest.mark.parametrize("name", ["a.txt", "a", "a.raw"])
def test_a_name_of_no_sound_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=f"{name}: is no name of a sound file"):
        SoundWriter(tmp_path / name, 16000)


def test_what_cannot_be_written_names_the_file(tmp_path):
    (tmp_path / "file").touch()
    writer = SoundWriter(tmp_path / "file" / "a.wav", 16000)
    with pytest.raises(RuntimeError, match=r"file/a.wav: cannot be written"), writer as out:
        out.write(WAV)
