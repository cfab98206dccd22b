"""How a voice is found: by the name of a kind, which may be another package's, or by its folder.

A kind is an entry point: ``NAME`` and ``module:factory``. ``factory(rest, device=..., **options)`` returns a ``Voice``,
where rest is what stands behind the colon of ``NAME:rest``, and options are those of ``load_voice``.
"""

import os
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from silvertalk.tts.voice import Voice

GROUP = "silvertalk.voices"  # of entry points
FOLDER = "espnet"  # the kind of a voice that is named by its folder alone
BUILT_IN = {
    FOLDER: "silvertalk.tts.synthesizer:Synthesizer.from_exp",
}


def voice_kinds() -> dict[str, EntryPoint]:
    """The kinds of voices that are installed, by name; a built-in one cannot be replaced."""
    built_in = (EntryPoint(name, value, GROUP) for name, value in BUILT_IN.items())
    return {entry.name: entry for entry in (*entry_points(group=GROUP), *built_in)}


def open_voice(voice: str | os.PathLike, device: str = "cpu", **options) -> Voice:
    """Load a voice.

    Args:
        voice: NAME or NAME:rest of a kind, or a folder; ./NAME is a folder for certain.
        device: cpu or cuda.
        **options: What its factory takes.

    Raises:
        FileNotFoundError: There is no such voice.
        RuntimeError: A package's voice cannot be imported, or is none.
    """
    kinds = voice_kinds()
    name, _, rest = os.fspath(voice).partition(":")
    if name not in kinds:
        if not Path(voice).exists():
            raise FileNotFoundError(
                f"no voice {voice}: neither a folder nor one of {', '.join(sorted(kinds))}; name the folder of a"
                " trained voice (exp/tts_...), or install the package of that voice"
            )
        name, rest = FOLDER, os.fspath(voice)
    try:
        factory = kinds[name].load()
    except (ImportError, AttributeError) as error:
        raise RuntimeError(f"the voice {name} ({kinds[name].value}) cannot be imported: {error}") from error
    made = factory(rest, device=device, **options)
    if not isinstance(made, Voice):
        raise RuntimeError(f"the voice {name}: {kinds[name].value} gave a {type(made).__name__}, not a Voice")
    return made
