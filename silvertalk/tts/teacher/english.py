"""English in Kokoro's IPA: eSpeak NG's phonemes, written as Kokoro's own converter (misaki, hexgrad) writes them."""

import re

from silvertalk.tts.espeak import pronounce

VOICE = "en-us"
MARKS = ",.!?;:"
# Kokoro has one letter for each diphthong and affricate, and r and length as American English has them.
_SOUNDS = {
    "eɪ": "A", "aɪ": "I", "oʊ": "O", "ɔɪ": "Y", "aʊ": "W", "tʃ": "ʧ", "dʒ": "ʤ", "ɜː": "ɜɹ", "ɚ": "əɹ", "aɪə": "Iə",
    "ɚɹ": "əɹ", "ɐ": "ə", "r": "ɹ", "e": "A", "x": "k", "o": "ɔ", "a": "æ", "ɔːɹ": "ɔɹ", "oːɹ": "ɔɹ",
    "ɑːɹ": "ɑɹ", "ʔ": "t", "ᵻ": "ɪ", "ː": "", "̩": "", "ɾ": "T", "g": "ɡ", "ʲ": "", "-": " ", "_": "",
}  # fmt: skip
_SOUND = re.compile("|".join(map(re.escape, sorted(_SOUNDS, key=len, reverse=True))))


def spell_english(text: str) -> str:
    """Spell English in IPA.

    Example:
        ``spell_english("Hello, you.")`` -> ``"həlˈO, ju."``

    Args:
        text: Words, with numbers and signs written out.

    Returns:
        IPA, a character a token; words are parted by spaces, marks follow them.
    """
    out = ""
    for piece in re.findall(rf"[{MARKS}]|[^{MARKS}]+", text):
        if piece in MARKS:
            out = out.rstrip() + piece + " "
        elif piece.strip():
            out += _SOUND.sub(lambda match: _SOUNDS[match[0]], pronounce(piece, VOICE)) + " "
    return re.sub(r"əl(?=[zd]?\W|[zd]?$)", "ᵊl", out.rstrip())  # people, not hello
