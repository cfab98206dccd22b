"""Before stage 7: does the training YAML fit the features and the statistics, and can the experiment be resumed?"""

from silvertalk.tts.experiment import repair_experiment
from silvertalk.tts.training.config import check_stats, check_train_config, load_train_config
from silvertalk.utils.cli import make_parser, run


def check(
    train_config: str,
    fs: int,
    hop_length: int,
    n_fft: int | None = None,
    train_args: str = "",
    stats_dir: str | None = None,
    ngpu: int = 0,
    exp_dir: str | None = None,
) -> None:
    """Check a voice's training YAML, and mend an experiment folder after a kill.

    Args:
        train_config: ESPnet training YAML.
        fs: Sampling rate of the audio, Hz.
        hop_length: Samples from frame to frame.
        n_fft: Points of the features' Fourier transform.
        train_args: What the command line changes of the YAML, as for ESPnet.
        stats_dir: Stage 6's folder, which must have been made with the same features.
        ngpu: GPUs that share each batch.
        exp_dir: Experiment folder whose checkpoints are checked too.
    """
    config = load_train_config(train_config, train_args)
    check_train_config(config, fs, hop_length, train_config, n_fft)
    if stats_dir is not None:
        check_stats(config, stats_dir, hop_length, ngpu, train_config)
    if exp_dir is not None:
        repair_experiment(exp_dir)


def get_parser():
    """Return the parser."""
    return make_parser(check)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), check, cmd)


if __name__ == "__main__":
    main()
