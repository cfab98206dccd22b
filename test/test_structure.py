"""The one direction of imports, and configurations that fit their programs."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "silvertalk"
# A room imports only rooms of later rows; rooms of one row do not import each other.
ROWS = [
    ["bin"],
    ["pipeline", "evaluate"],
    ["wav2lip", "makeittalk"],
    ["talker", "syncnet"],
    ["face", "tts"],
    ["data"],
    ["media"],
    ["engine", "training"],
    ["utils"],
]
RANK = {room: rank for rank, row in enumerate(ROWS) for room in row}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)


def imported_rooms(path):
    """Rooms that a module imports anywhere in it, functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert [alias.name for alias in node.names] != ["*"], f"{path}: import *"
            names = [node.module]
        yield from (name.split(".")[1] for name in names if name.startswith("silvertalk."))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    room = path.relative_to(PACKAGE).parts[0]
    for other in imported_rooms(path):
        assert other == room or RANK[other] > RANK[room], f"{path} imports {other}"


CONFIGS = sorted([*ROOT.glob("conf/**/train_*.yaml"), *ROOT.glob("egs/*/*/conf/train_*.yaml")])
# ESPnet's, and those of test/makeittalk/test_conf.py.
OTHERS = ("jets", "vits", "tacotron2", "fastspeech2", "makeittalk")


@pytest.mark.parametrize(
    "path", [p for p in CONFIGS if not any(name in p.name for name in OTHERS)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_every_configuration_fits_its_program(path):
    from silvertalk.bin import syncnet_train, wav2lip_train

    program = syncnet_train if "syncnet" in path.name else wav2lip_train
    options = program.get_parser().parse_args(["--config", str(path), "--train_dir=a", "--valid_dir=b", "--exp_dir=c"])
    assert options.trainer.max_epoch > 0 and options.data.batch_size > 0


def test_unknown_key_in_a_configuration_is_refused(tmp_path, capsys):
    from silvertalk.bin import wav2lip_train

    (tmp_path / "x.yaml").write_text("optim: {learning_rate: 1}\n")
    with pytest.raises(SystemExit):
        wav2lip_train.get_parser().parse_args(["--config", str(tmp_path / "x.yaml")])
    assert "learning_rate" in capsys.readouterr().err
