"""Before stage 8: a voice's config.yaml for programs that run in another folder."""

import yaml

from silvertalk.tts import resolve_config
from silvertalk.utils import write_text
from silvertalk.utils.cli import make_parser, run


def write_config(exp_dir: str, out: str) -> None:
    """Write a voice's config.yaml with absolute names of its statistics files.

    Args:
        exp_dir: Experiment folder of the voice, perhaps another recipe's.
        out: YAML file to write.
    """
    write_text(out, yaml.safe_dump(resolve_config(exp_dir), sort_keys=False, allow_unicode=True))


def get_parser():
    """Return the parser."""
    return make_parser(write_config)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), write_config, cmd)


if __name__ == "__main__":
    main()
