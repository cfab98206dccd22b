"""MakeItTalk: a photo and a voice become a moving portrait."""
