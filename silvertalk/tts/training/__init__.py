"""Stages 5 to 7: what ESPnet's training of a voice needs besides."""
