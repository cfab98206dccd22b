"""ESPnet's text cleaners are known by name before anything is done."""

import pytest

from silvertalk.tts.cleaner import CLEANERS, check_cleaner


@pytest.mark.recipe  # ESPnet's import takes seconds
def test_all_cleaners_of_espnet_are_listed():
    from espnet2.tasks.tts import TTSTask

    [action] = [a for a in TTSTask.get_parser()._actions if a.dest == "cleaner"]
    assert {name or "none" for name in action.choices} == set(CLEANERS)


def test_what_cannot_be_used_is_said(monkeypatch, caplog):
    with pytest.raises(ValueError, match="no cleaner 'tacotron3'; there is none, tacotron"):
        check_cleaner("tacotron3")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="cleaner vietnamese cannot run here: install underthesea"):
        check_cleaner("vietnamese")
    check_cleaner("korean_cleaner", "ko")
    assert not caplog.text
    check_cleaner("korean_cleaner", "zh")
    assert "made for the language 'ko', not 'zh'" in caplog.text
