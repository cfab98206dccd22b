"""The package as others get it: it imports, its programs explain themselves, and a wheel works outside the checkout."""

import importlib
import inspect
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import silvertalk.bin
from silvertalk.data import corpora

ROOT = Path(__file__).resolve().parents[1]
WORKERS = [module.name for module in pkgutil.iter_modules(silvertalk.bin.__path__) if not module.ispkg]
# Workers that are several programs, chosen by their first word, which may stand in their TASKS.
WORDS = {"corpus_prepare": [module.name for module in pkgutil.iter_modules(corpora.__path__)]}
NOT_OURS = {".git", ".venv", "data", "dump", "exp", "downloads", "build", "site"}
IMPORT_ALL = """
import importlib, json, pkgutil, sys, traceback
import silvertalk
failures = {}
def failed(name):
    failures[name] = traceback.format_exc(limit=-2)
for module in pkgutil.walk_packages(silvertalk.__path__, "silvertalk.", onerror=failed):
    try:
        importlib.import_module(module.name)
    except BaseException:
        failed(module.name)
json.dump([silvertalk.__file__, failures, len(sys.modules)], sys.stdout)
"""


def test_every_module_imports():
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    file, failures, number = json.loads(done.stdout)
    assert Path(file).is_relative_to(ROOT) and number > 100
    assert not failures, "\n".join(f"{name}: {what}" for name, what in failures.items())


@pytest.mark.parametrize("name", WORKERS)
def test_every_worker_explains_itself(name, capsys):
    worker = importlib.import_module(f"silvertalk.bin.{name}")
    wanted = [p for p in inspect.signature(worker.get_parser).parameters.values() if p.default is p.empty]
    words_of_it = WORDS.get(name, getattr(worker, "TASKS", ()))
    assert len(wanted) == bool(words_of_it), f"{name}: say in WORDS which words it takes"
    for words in [[word] for word in words_of_it] or [[]]:
        assert worker.get_parser(*words).format_help()
        with pytest.raises(SystemExit) as end:
            worker.main([*words, "--help"])
        assert end.value.code in (0, None) and "usage:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for pattern in ("*.yaml", "*.yml")
        for path in ROOT.rglob(pattern)
        if not NOT_OURS & set(path.relative_to(ROOT).parts)
    ),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_yaml_loads(path):
    assert yaml.safe_load(path.read_text(encoding="utf-8"))


def _installer() -> list[str]:
    """What tools/setup_env.sh installs with: uv where there is one, else pip."""
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder in which a wheel of this package is installed, and nothing else."""
    # A copy, because setuptools leaves build/ beside the sources, and takes what an earlier build left there.
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "silvertalk", source / "silvertalk", ignore=shutil.ignore_patterns("__pycache__"))
    build = "import setuptools.build_meta as backend; backend.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = source.glob("silvertalk-*.whl")
    subprocess.run([*_installer(), "--no-deps", "--target", target, wheel], cwd=source, check=True)
    return target


@pytest.fixture
def run_installed(installed, tmp_path):
    """A function that runs the installed command, or Python, in ``tmp_path``, where the checkout cannot be seen."""

    def run(*arguments, program: str | None = "silvertalk") -> str:
        start = [sys.executable, "-P", *([installed / "bin" / program] if program else [])]
        environment = os.environ | {"PYTHONPATH": str(installed)}
        done = subprocess.run(
            [str(part) for part in (*start, *arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_wheel_has_all_files(installed):
    shipped = {path.relative_to(ROOT) for path in (ROOT / "silvertalk").rglob("*.py")}
    for folder in ("voices", "makeittalk/cartoon/puppet_page"):
        shipped |= {path.relative_to(ROOT) for path in (ROOT / "silvertalk" / folder).rglob("*") if path.is_file()}
    assert len(shipped) > 150
    missing = [str(path) for path in shipped | {Path("silvertalk/py.typed")} if not (installed / path).is_file()]
    assert not missing, f"not in the wheel: {missing}; see [tool.setuptools.package-data] in pyproject.toml"


def test_a_wheel_explains_itself(run_installed, installed):
    place = run_installed("-c", "import silvertalk; print(silvertalk.__file__)", program=None)
    assert Path(place.strip()).is_relative_to(installed)
    assert {"say", "tts", "lipsync"} <= set(run_installed("--help").replace(",", " ").split())
    version = importlib.import_module("silvertalk").__version__
    assert run_installed("--version").split() == ["silvertalk", version]


@pytest.mark.recipe
def test_a_wheel_speaks(run_installed, tmp_path):
    from silvertalk.media import read_audio

    run_installed("tts", "--text", "Good morning.", "--out", "hello.wav")
    wav, rate = read_audio(tmp_path / "hello.wav")
    assert 0.5 < len(wav) / rate < 3 and np.abs(wav).max() > 0.05


@pytest.mark.recipe
def test_a_wheel_moves_lips(run_installed, face_video, tmp_path):
    import torch

    from silvertalk.media import probe, read_frames, write_audio
    from silvertalk.wav2lip import Wav2Lip

    torch.manual_seed(0)
    torch.save({"state_dict": Wav2Lip(width=0.0625).state_dict()}, tmp_path / "small.pth")
    write_audio(tmp_path / "speech.wav", 0.1 * np.random.default_rng(0).normal(size=16000).astype(np.float32), 16000)
    command = ["lipsync", "--face", face_video, "--audio", "speech.wav", "--out", "out.mp4"]
    run_installed(*command, "--wav2lip_exp", "small.pth", "--engine", "torch", "--face_backend", "dlib")
    assert probe(tmp_path / "out.mp4").fps == 25 and sum(1 for _ in read_frames(tmp_path / "out.mp4")) == 25
