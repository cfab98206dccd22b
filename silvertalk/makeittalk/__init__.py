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
    "AnimationOptions": "silvertalk.makeittalk.options",
    "AudioToLandmarks": "silvertalk.makeittalk.portrait.animate",
    "AutoVC": "silvertalk.makeittalk.networks",
    "ContentBranch": "silvertalk.makeittalk.networks",
    "ImageTranslation": "silvertalk.makeittalk.networks",
    "Portrait": "silvertalk.makeittalk.portrait.portrait",
    "SpeakerBranch": "silvertalk.makeittalk.networks",
    "draw_landmarks": "silvertalk.makeittalk.drawing",
    "export_official": "silvertalk.makeittalk.checkpoint",
    "load_checkpoint": "silvertalk.makeittalk.checkpoint",
    "save_checkpoint": "silvertalk.training.checkpoint",
}


def __getattr__(name: str):
    """Import an exported name when it is first used: reading a dump or a puppet needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Exported names, imported or not."""
    return sorted({*globals(), *__all__})
