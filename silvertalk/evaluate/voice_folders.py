"""Score a folder of synthetic speech against recordings of its speaker.

Files are matched by their names without suffix. Sentences that nobody has recorded are scored, too, as far as that is
possible: what a recogniser hears, how much it sounds like the speaker, and faults of the sound.
"""

import os
from dataclasses import asdict
from pathlib import Path

from silvertalk.data import Utterance
from silvertalk.evaluate.jobs import file_stamp, find_files, forget_others, write_page
from silvertalk.evaluate.report import describe, load_scores, not_scored, voice_sections
from silvertalk.evaluate.score_voice import score_utterances
from silvertalk.evaluate.speaker import spread
from silvertalk.evaluate.words import Recognition

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")
SPEAKER = "speaker"
MOST_OTHERS = 50  # recordings that are scored where none of them says a generated sentence


def find_sounds(folder: str | os.PathLike) -> dict[str, Path]:
    """List the sound files of a folder, at any depth, by their names; see ``find_files``."""
    return find_files(folder, lambda path: path.suffix.lower() in SUFFIXES, f"sound files ({', '.join(SUFFIXES)})")


def read_texts(path: str | os.PathLike) -> dict[str, str]:
    """Read what is said in which file.

    Args:
        path: Lines of name and sentence, parted by a space (Kaldi's ``text``) or ``|`` (a corpus' ``transcripts.txt``,
            whose names may have a suffix and whose further fields are ignored).

    Returns:
        Name -> sentence.

    Raises:
        FileNotFoundError: No such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no {path}; give --text a file with lines of name and sentence")
    texts = {}
    for line in Path(path).read_text(encoding="utf-8-sig").splitlines():
        if "|" in line:
            name, text = line.split("|")[:2]
            name = str(Path(name).with_suffix("")) if Path(name).suffix.lower() in SUFFIXES else name
        else:
            name, _, text = line.partition(" ")
        if name.strip():
            texts[name.strip().replace(" ", "_")] = text.strip()
    return texts


def score_voices(
    generated: str | os.PathLike,
    real: str | os.PathLike,
    text: str | os.PathLike | None = None,
    out_dir: str | os.PathLike = "scores",
    recognition: Recognition | None = None,
) -> str:
    """Score, and write tables and a page.

    A run that was stopped goes on with the next sentence; when a file or an option changed, all are scored again.

    Args:
        generated: Folder of synthetic speech.
        real: Folder of the speaker's recordings.
        text: What is said in both, see ``read_texts``; None leaves the words out.
        out_dir: Gets ``voice.tsv`` and ``scores.md``.
        recognition: How words are recognised.

    Returns:
        The page (Markdown), also written to ``out_dir/scores.md``.

    Raises:
        FileNotFoundError: A folder without sound, or no such text.
        ValueError: The text says nothing about any of the files.
    """
    made, recorded = find_sounds(generated), find_sounds(real)
    texts = read_texts(text) if text else {}
    if text and not texts.keys() & made.keys():
        raise ValueError(f"{text} has none of the names in {generated} (e.g. {next(iter(made))}); they must be equal")
    references = [
        Utterance(name, SPEAKER, texts.get(name), str(recorded[name]) if name in recorded else None)
        for name in sorted({**made, **recorded})
    ]
    others = [] if made.keys() & recorded.keys() else spread(sorted(recorded), MOST_OTHERS)
    out_dir, recognition = Path(out_dir), recognition or Recognition()
    stamps = [(str(path), *file_stamp(path)) for path in (*made.values(), *recorded.values())]
    said = {u.utt_id: u.text for u in references}
    forget_others(out_dir / "voice", {"files": stamps, "texts": said, "options": asdict(recognition)})
    synthetic = {name: str(path) for name, path in made.items()}
    score_utterances(sorted({*made, *others}), references, synthetic, out_dir, recognition)
    scores = load_scores(out_dir)
    sections = [
        "# Voice scores",
        "Measures are defined in docs/METRICS.md. A cell is mean ± standard deviation over sentences (number of "
        "sentences). Compare every row with the real recordings'.",
        describe(scores),
        *voice_sections(scores),
        *not_scored(scores),
    ]
    return write_page(out_dir, sections)
