"""What all trainings share: fitting, checkpoints, experiment folders, samples."""
