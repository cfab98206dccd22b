"""Before stage 8: a voice's config.yaml, and weights that were stored, for programs that run in another folder."""

import yaml

from silvertalk.tts import resolve_config
from silvertalk.tts.store import unpack_weights
from silvertalk.utils import write_text
from silvertalk.utils.cli import make_parser, run


def write_config(exp_dir: str, out: str, weights: str | None = None) -> None:
    """Write a voice's config.yaml with absolute names of its statistics files.

    Args:
        exp_dir: Experiment folder of the voice, perhaps another recipe's.
        out: YAML file to write.
        weights: .pth to write, of a stored voice, whose file ESPnet does not read.
    """
    write_text(out, yaml.safe_dump(resolve_config(exp_dir), sort_keys=False, allow_unicode=True))
    if weights is not None:
        unpack_weights(exp_dir, weights)


def get_parser():
    """Return the parser."""
    return make_parser(write_config)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), write_config, cmd)


if __name__ == "__main__":
    main()
