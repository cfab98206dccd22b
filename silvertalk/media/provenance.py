"""What a synthetic video says about itself."""

import datetime
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from silvertalk import __version__


def provenance(
    note: str, model: str, face: str | os.PathLike, sounds: Iterable[str], settings: Mapping[str, object]
) -> dict:
    """Say how a synthetic video was made; goes into the header as the comment.

    Args:
        note: What is synthetic, for people.
        model: Network and what runs it.
        face: The video or photo that was animated.
        sounds: Names of what is heard.
        settings: Options that differ from their defaults.
    """
    return {
        "synthetic": True,
        "note": note,
        "software": f"silvertalk {__version__}",
        "model": model,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "face": Path(face).name,
        "sound": list(sounds),
        "settings": dict(settings),
    }
