"""A photo that moves with a sound."""
