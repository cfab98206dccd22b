"""Rooms and the one direction of imports; no circles; nothing too long to be read."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "silvertalk"
# A room imports only rooms of later rows, within functions, too; rooms of one row do not import each other.
ROWS = [
    ["bin"],
    ["serve"],
    ["pipeline", "evaluate"],
    ["wav2lip", "makeittalk", "lips"],
    ["talker", "syncnet"],
    ["face", "tts"],
    ["data"],
    ["media"],
    ["engine", "training"],
    ["utils"],
]
RANK = {room: rank for rank, row in enumerate(ROWS) for room in row}
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 500, 40  # lines


def name(path: Path) -> str:
    """The name of a module by its file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name(path) for path in MODULES}


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(node: ast.AST) -> list[str]:
    """Modules of the package that an import statement names."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0 and [alias.name for alias in node.names] != ["*"], ast.unparse(node)
        # `from a import b`: b is a module, or something in a.
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        names = [each if each in NAMES else node.module for each in names]
    else:
        return []
    return [each for each in names if each in NAMES]


def run_on_import(node: ast.AST):
    """Statements that run when a module is imported; what only a type checker reads is left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from run_on_import(child)


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent != PACKAGE], ids=label)
def test_imports_go_one_way(path):
    room = path.relative_to(PACKAGE).parts[0]
    for other in (each.split(".")[1] for node in ast.walk(parsed(path)) for each in imported(node) if "." in each):
        if (PACKAGE / other).is_dir():
            assert other == room or RANK[other] > RANK[room], f"{path} imports {other}"


def test_no_circles():
    graph = {name(path): {each for node in run_on_import(parsed(path)) for each in imported(node)} for path in MODULES}
    try:
        TopologicalSorter({module: others - {module} for module, others in graph.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' <- '.join(error.args[1])}")


def test_every_package_is_a_room():
    """A folder that is in no row would escape the rule above."""
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} <= RANK.keys()


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_no_file_is_too_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "tools").rglob("*.py"))], ids=label)
def test_no_function_is_too_long(path):
    long = {}
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[ast.get_docstring(node) is not None :]
            lines = node.end_lineno - body[0].lineno + 1 if body else 0
            long |= {node.name: lines} if lines > MAX_FUNCTION else {}
    assert not long
