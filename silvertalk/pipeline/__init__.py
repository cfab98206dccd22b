"""Text -> voice -> face."""

from silvertalk.pipeline.talking_face import TalkingFace

__all__ = ["TalkingFace"]
