"""Teachers: large voices that speak texts of ours, so that small ones learn from clean pairs with exact durations."""

from silvertalk.tts.teacher.base import Spoken, Teacher, load_teacher

__all__ = ["Spoken", "Teacher", "load_teacher"]
