"""MakeItTalk: a photo and a voice become a moving portrait; networks, features, training and rendering."""

import importlib

__all__ = [
    "AnimationOptions",
    "AudioToLandmarks",
    "AutoVC",
    "ContentBranch",
    "ImageTranslation",
    "Portrait",
    "SpeakerBranch",
    "draw_landmarks",
    "export_official",
    "load_checkpoint",
    "save_checkpoint",
]

_HOMES = {
    "AnimationOptions": "options",
    "AudioToLandmarks": "animate",
    "AutoVC": "networks",
    "ContentBranch": "networks",
    "ImageTranslation": "networks",
    "Portrait": "portrait",
    "SpeakerBranch": "networks",
    "draw_landmarks": "drawing",
    "export_official": "checkpoint",
    "load_checkpoint": "checkpoint",
    "save_checkpoint": "checkpoint",
}


def __getattr__(name: str):
    """Import an exported name when it is first used: reading a dump or a puppet needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Exported names, imported or not."""
    return sorted({*globals(), *__all__})
