"""Stages 11 to 14: features and training of the portrait's networks."""
