"""Stages 3 and 4: a corpus' faces followed, cut out, put in step with their sound."""
