"""Silvertalk: from a text to a talking face."""

__version__ = "0.1.0"
__all__ = ["TalkingFace"]


def __getattr__(name: str):
    # Deferred, because it imports torch and ESPnet.
    if name == "TalkingFace":
        from silvertalk.pipeline import TalkingFace

        return TalkingFace
    raise AttributeError(f"module 'silvertalk' has no attribute {name!r}")
