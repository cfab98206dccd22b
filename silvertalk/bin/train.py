"""Stages 9 to 14, and the head start of stage 7: train a model, which the first word names."""

import argparse
import importlib
import sys

from silvertalk.utils.cli import make_parser, run

TASKS = {  # function of each
    "syncnet": "silvertalk.syncnet.train:train_syncnet",
    "wav2lip": "silvertalk.wav2lip.train:train_wav2lip",
    "makeittalk_autovc": "silvertalk.makeittalk.training.autovc_train:train_autovc",
    "makeittalk_content": "silvertalk.makeittalk.training.train:train_content",
    "makeittalk_speaker": "silvertalk.makeittalk.training.train:train_speaker",
    "makeittalk_translation": "silvertalk.makeittalk.training.train:train_translation",
    "tts_pretrain": "silvertalk.tts.training.pretrain:pretrain",
}


def get_function(task: str):
    """Import the function of a task; those of others stay where they are."""
    module, function = TASKS[task].split(":")
    return getattr(importlib.import_module(module), function)


def get_parser(task: str):
    """Return the parser of a task's options."""
    return make_parser(get_function(task), prog=f"train {task}")


def main(cmd: list[str] | None = None):
    """Run the command line."""
    words = sys.argv[1:] if cmd is None else cmd
    parser = argparse.ArgumentParser(prog="train", description=__doc__, epilog="The task's own options: TASK --help.")
    parser.add_argument("task", choices=TASKS)
    task = parser.parse_args(words[:1]).task
    run(get_parser(task), get_function(task), words[1:])


if __name__ == "__main__":
    main()
