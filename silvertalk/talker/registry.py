"""Which talkers there are; a new one is a line here, or an entry point of its own package.

A package with this in its pyproject.toml adds a talker under the name ``mine``::

    [project.entry-points."silvertalk.talkers"]
    mine = "my_package.options:MySetup"
"""

import importlib
import importlib.metadata

from silvertalk.talker.options import Setup

GROUP = "silvertalk.talkers"
# Name: the Setup of a talker. Modules, not imports: a model's room lies above this one.
TALKERS = {
    "wav2lip": "silvertalk.wav2lip.options:Wav2LipSetup",
    "makeittalk": "silvertalk.makeittalk.options:PortraitSetup",
    "cartoon": "silvertalk.makeittalk.options:CartoonSetup",
}


def talker_names() -> list[str]:
    """All names that ``find_setup`` knows."""
    return [*TALKERS, *sorted(entry.name for entry in importlib.metadata.entry_points(group=GROUP))]


def find_setup(name: str) -> type[Setup]:
    """The options of a talker.

    Raises:
        ValueError: No such talker, or an entry point that cannot be loaded.
    """
    if name in TALKERS:
        module, _, attribute = TALKERS[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    for entry in importlib.metadata.entry_points(group=GROUP, name=name):
        try:
            return entry.load()
        except (ImportError, AttributeError) as error:
            raise ValueError(f"the talker '{name}' ({entry.value}) cannot be loaded: {error}") from error
    raise ValueError(f"model '{name}' is none of {', '.join(talker_names())}")
