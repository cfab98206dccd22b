"""One worker trains everything; a task's options cost no other task's imports."""

import subprocess
import sys

import pytest

from silvertalk.bin import train


@pytest.mark.parametrize("task", train.TASKS)
def test_every_task_has_a_parser(task):
    assert "--exp_dir" in train.get_parser(task).format_help()


def test_a_task_imports_no_other():
    code = """
import sys
from silvertalk.bin import train
assert not {"torch", "lightning"} & sys.modules.keys()
train.get_parser("syncnet")
rooms = ("silvertalk.wav2lip", "silvertalk.makeittalk", "silvertalk.tts")
others = [name for name in sys.modules if name.startswith(rooms)]
assert not others, others
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_task_is_refused(capsys):
    with pytest.raises(SystemExit):
        train.main(["tacotron"])
    assert "choose from" in capsys.readouterr().err
