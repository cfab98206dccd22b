"""Which text a voice can speak."""

import pytest

from silvertalk.tts import find_unknown, normalize_text, read_token_list
from silvertalk.tts.text import describe_unknown

TOKENS = ["<blank>", "<unk>", "<space>", "'", *"abcdefghijklmnopqrstuvwxyz", "<sos/eos>"]


def test_unknown_characters_have_their_places():
    assert find_unknown("bin 2 blue!", TOKENS) == [(4, "2"), (10, "!")]
    assert find_unknown("it's blue", TOKENS) == []


def test_message_names_character_place_and_what_is_known():
    message = describe_unknown("bin 2", find_unknown("bin 2", TOKENS), TOKENS)
    assert "'2' (U+0032) at place 5" in message
    assert "space" in message and "<unk>" not in message


@pytest.mark.parametrize(
    "tokens, expected", [(TOKENS, "bin blue"), (["B", *TOKENS], "Bin  BLUE".replace("  ", " ")), ([], "Bin BLUE")]
)
def test_letter_case_follows_the_tokens(tokens, expected):
    assert normalize_text(" Bin  BLUE\n", tokens) == expected


def test_token_list_from_a_list_and_from_a_config(tmp_path):
    (tmp_path / "tokens.txt").write_text("\n".join(TOKENS) + "\n")
    (tmp_path / "config.yaml").write_text("token_list:\n" + "".join(f'- "{t}"\n' for t in TOKENS))
    assert read_token_list(tmp_path / "tokens.txt") == TOKENS
    assert read_token_list(tmp_path / "config.yaml") == TOKENS


def test_missing_and_empty_token_lists_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="stage 5"):
        read_token_list(tmp_path / "tokens.txt")
    (tmp_path / "tokens.txt").write_text("<blank>\n<unk>\n<sos/eos>\n")
    with pytest.raises(ValueError, match="holds no token"):
        read_token_list(tmp_path / "tokens.txt")
