"""A drawing that moves with a sound."""
