"""What the documents tell people to type is understood: options by the real parsers, files by their names."""

import ast
import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("egs/*/*/README.md")]
)
# Programs of the system, in examples.
OTHERS = {".", "cat", "cd", "cp", "export", "ffplay", "git", "tar", "unzip", "wget"}
OTHERS |= {"mkdocs", "mypy", "pip", "pre-commit", "ruff", "shellcheck"}
ROOMS = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"data", "dump", "exp", "downloads", "shared"}


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a language in a document."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


def commands(path: Path) -> list[list[str]]:
    """The simple commands in a document's shell blocks, without the variables before them."""
    found = []
    for block in blocks(path, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&")
            lexer.whitespace_split = True
            words: list[str] = []
            for word in [*lexer, ";"]:
                if word and set(word) <= set("|;&"):
                    while words and re.match(r"[A-Z_]+=|sudo$", words[0]):
                        del words[0]
                    words = words[: words.index("<")] if "<" in words else words
                    found += [words] if words else []
                    words = []
                else:
                    words.append(word)
    return found


COMMANDS = [(path, words) for path in DOCUMENTS for words in commands(path)]


def check_parser(parser, arguments: list[str], capsys) -> None:
    """Parse; --help ends well, whatever else ends does not."""
    try:
        parser.parse_args(arguments)
    except SystemExit as end:
        assert end.code in (0, None), capsys.readouterr().err


@cache
def silvertalk_parser(name: str, model: str | None):
    """The parser of a command, with the options of a talker where it takes one."""
    command = importlib.import_module("silvertalk.bin.silvertalk")
    if name not in command.COMMANDS:
        return command.get_parser()
    make = command.command_module(name).get_parser
    return make(model) if model else make()


def check_silvertalk(words: list[str], capsys) -> None:
    """What follows ``silvertalk``: a command and its options."""
    name = words[0] if words else ""
    model = words[words.index("--model") + 1] if "--model" in words and name != "export" else None
    check_parser(silvertalk_parser(name, model), words if name.startswith("-") else words[1:], capsys)


def check_worker(arguments: list[str], capsys) -> None:
    """What follows ``python``: a worker with its options, or a script that is there."""
    if arguments[0] != "-m":
        assert (ROOT / arguments[0]).is_file(), f"no {arguments[0]}"
        return
    make = importlib.import_module(arguments[1]).get_parser
    # Some workers are several programs, chosen by their first word.
    words = [p for p in inspect.signature(make).parameters.values() if p.default is p.empty]
    split = 2 + len(words)
    chosen = ["own" if word == "CORPUS" else word for word in arguments[2:split]]
    check_parser(make(*chosen), arguments[split:], capsys)


def check_recipe(script: Path, arguments: list[str]) -> None:
    """A recipe reads its options in order, and with --help last it prints them and ends."""
    environment = os.environ | {"SILVERTALK_PYTHON": sys.executable}  # none is to be made
    done = subprocess.run(
        ["bash", script, *arguments, "--help"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("path", "words"), COMMANDS, ids=[f"{path.relative_to(ROOT)}: {' '.join(words)[:60]}" for path, words in COMMANDS]
)
def test_command(path, words, capsys):
    program, arguments = words[0], words[1:]
    if program == "silvertalk":
        check_silvertalk(arguments, capsys)
    elif program in ("python", "python3"):
        check_worker(arguments, capsys)
    elif not program.startswith("${") and program not in OTHERS:
        places = [folder / program for folder in (ROOT, path.parent) if (folder / program).is_file()]
        assert places and os.access(places[0], os.X_OK), (
            f"{program} is no program; is it the system's? Then OTHERS needs it"
        )
        if program.endswith("run.sh"):
            check_recipe(places[0], arguments)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_python(path):
    for block in blocks(path, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("silvertalk"):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


def named_files(text: str) -> set[str]:
    """Paths of this repository in inline code; what stands for a name, and what recipes make, is left out."""
    found = set()
    for code in re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)):
        for word in code.split():
            word = word.strip(",;:()\"'").partition(":")[0].removeprefix("./").rstrip("/")
            room, _, rest = word.partition("/")
            if rest and room in ROOMS and not re.search(r"[<>$=]|[A-Z]{4}|\bX\b|NAME", word):
                head, brace, inner = word.partition("{")
                inner, _, tail = inner.partition("}")
                found |= {head + part + tail for part in inner.split(",")} if brace else {word}
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files(path):
    text = path.read_text(encoding="utf-8")
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
    missing = [link for link in links if not (path.parent / link).exists()]
    places = (ROOT, path.parent)  # recipes name their own files as well
    missing += [name for name in named_files(text) if not any(any(folder.glob(name)) for folder in places)]
    assert not missing, f"{path}: there is no {', '.join(sorted(missing))}"


@pytest.mark.recipe
def test_the_pages_build_and_fetch_nothing(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")}
    assert tmp_path / "index.html" in pages and 'id="silvertalk.' in pages[tmp_path / "docs/API/index.html"]
    for path, text in pages.items():
        fetched = re.findall(r"<(?:script|img|link)[^>]*(?:src|href)=\"((?:https?:)?//[^\"]*)", text)
        assert not fetched, f"{path}: {fetched}"
    styles = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.css"))
    assert not re.search(r"(@import|url\()[^;)]*//", styles.replace("http://www.w3.org", ""))


def test_there_is_something_to_test():
    programs = [Path(words[0]).name for _, words in COMMANDS]
    assert programs.count("silvertalk") > 20 and programs.count("run.sh") > 20 and programs.count("python") > 5
