"""Scores of lips and voice, and the report that gathers them."""
