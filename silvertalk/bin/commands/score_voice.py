"""``silvertalk score-voice``: synthetic speech beside recordings."""

from silvertalk.utils.cli import worker


def score_voice(
    generated: str,
    real: str,
    text: str | None = None,
    out: str = "scores",
    recogniser: str = "auto",
    grammar: str | None = None,
    whisper_model: str | None = None,
    language: str = "auto",
    device: str = "cpu",
) -> None:
    """Score synthetic speech of any system against recordings; a run that was stopped goes on where it was.

    Args:
        generated: Folder of synthetic speech.
        real: Folder of the speaker's recordings; files are matched by name without suffix, but other sentences than the
            recorded ones are scored, too.
        text: What is said: lines of file name and sentence, parted by a space or |; leave out to count no words.
        out: Folder to write: scores.md, voice.tsv (a line for each sentence and kind).
        recogniser: What hears the words: grammar, lm (PocketSphinx's English language model), whisper or none; auto
            takes the best that is there.
        grammar: JSGF file that the sentences follow.
        whisper_model: Folder of Whisper's weights in faster-whisper's layout (model.bin, config.json, tokenizer.json).
        language: Of the text: ko, en, zh, another, or auto (by script).
        device: Of Whisper: cpu or cuda.
    """
    from silvertalk.evaluate.score_voice import Recognition
    from silvertalk.evaluate.voice_folders import score_voices

    print(score_voices(generated, real, text, out, Recognition(recogniser, grammar, whisper_model, language, device)))


get_parser, main = worker(score_voice, prog="silvertalk score-voice")
