"""Before stage 7: does the training YAML fit the features, and can the experiment be resumed?"""

from silvertalk.tts import check_train_config, load_train_config, repair_experiment
from silvertalk.utils.cli import make_parser, run


def check(train_config: str, fs: int, hop_length: int, exp_dir: str | None = None) -> None:
    """Check a JETS training YAML, and mend an experiment folder after a kill.

    Args:
        train_config: ESPnet training YAML.
        fs: Sampling rate of the audio, Hz.
        hop_length: Samples from frame to frame.
        exp_dir: Experiment folder whose checkpoints are checked too.
    """
    check_train_config(load_train_config(train_config), fs, hop_length, name=train_config)
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
