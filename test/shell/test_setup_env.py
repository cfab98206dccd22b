"""The environment's script and table; nothing is installed here."""

import importlib.util
import re
import sys
import tomllib

import pytest


@pytest.fixture
def setup_env(root, shell):
    return lambda *arguments, **variables: shell(root / "tools/setup_env.sh", *arguments, **variables)


@pytest.fixture
def check_env(root):
    spec = importlib.util.spec_from_file_location("check_env", root / "tools/check_env.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_named_environment_is_only_checked(setup_env, tmp_path):
    result = setup_env()
    assert result.returncode == 0, result.stdout
    assert not list(tmp_path.iterdir())


def test_a_named_environment_that_lacks_packages(setup_env, tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    result = setup_env(SILVERTALK_PYTHON=str(bare))
    assert result.returncode == 1
    assert "packages are missing: " in result.stdout
    assert "unset SILVERTALK_PYTHON" in result.stdout


def test_a_named_environment_that_is_none(setup_env):
    result = setup_env(SILVERTALK_PYTHON="/no/such/python")
    assert result.returncode == 1
    assert "SILVERTALK_PYTHON=/no/such/python is no program" in result.stdout


def test_other_folders_are_not_touched(setup_env, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("x")
    result = setup_env(SILVERTALK_PYTHON="", SILVERTALK_VENV=str(tmp_path / "mine"))
    assert result.returncode == 1
    assert "is no Python environment" in result.stdout
    assert (tmp_path / "mine/file").exists()
    result = setup_env(SILVERTALK_PYTHON="", SILVERTALK_VENV="/proc/self/x/venv")
    assert result.returncode == 1
    assert "cannot write in /proc/self/x" in result.stdout


def test_a_finished_environment_is_left_alone(setup_env, root, tmp_path, shell):
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").symlink_to(sys.executable)
    command = f"cat {root}/tools/requirements.lock {root}/pyproject.toml | sha256sum | cut -c 1-16"
    stamp = shell("bash", "-c", command).stdout.strip()
    (tmp_path / "venv/.silvertalk_stamp").write_text(f"{stamp} {root}\n")
    result = setup_env(SILVERTALK_PYTHON="", SILVERTALK_VENV=str(tmp_path / "venv"))
    assert (result.returncode, result.stdout) == (0, "")


def test_help_says_what_it_needs(setup_env):
    result = setup_env("--help")
    assert result.returncode == 0
    assert "GB of disk" in result.stdout and "SILVERTALK_PYTHON" in result.stdout


def test_the_lock_names_versions_and_no_index(root):
    lines = (root / "tools/requirements.lock").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    names = [pin.split("==")[0] for pin in pins]
    assert len(pins) > 100 and names == sorted(set(names))
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", pin) for pin in pins)


@pytest.mark.parametrize("extra", ["", "cpu", "dev"])
def test_what_the_package_asks_for_is_locked(root, check_env, extra):
    lock = check_env.read_lock(root / "tools/requirements.lock")
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    asked = project["optional-dependencies"][extra] if extra else project["dependencies"]
    names = {check_env.normalised(re.match(r"[\w-]+", name)[0]) for name in asked}
    assert names and names - {"pre-commit"} <= set(lock)  # pre-commit makes environments of its own


def test_the_table(root, shell):
    result = shell(sys.executable, root / "tools/check_env.py", SILVERTALK_WEIGHTS="/no/weights", TORCH_HOME="/no/hub")
    assert result.returncode == 0, result.stdout
    rows = {line.split("  ")[0]: line for line in result.stdout.splitlines()}
    assert "torch" in rows and "disk" in rows and "GPU" in rows
    assert "missing" in rows["S3FD face detector"] and "dlib" in rows["S3FD face detector"]


def test_weights_that_are_there(check_env, tmp_path, monkeypatch):
    (tmp_path / "wav2lip_gan.pth").write_bytes(b"")
    monkeypatch.setenv("SILVERTALK_WEIGHTS", str(tmp_path))
    rows = {row[0]: row for row in check_env.weights_lines()}
    assert rows["published Wav2Lip"][1:] == ("present", str(tmp_path / "wav2lip_gan.pth"))


def test_packages_cut_short_are_forgotten(check_env, tmp_path, monkeypatch):
    site = tmp_path / "lib/python3.11/site-packages"
    for name, record in (
        ("whole", "whole/__init__.py,,\nwhole-1.dist-info/RECORD,,\n"),
        ("short", "short/__init__.py,,\nshort-1.dist-info/RECORD,,\n"),
        ("unrecorded", None),
    ):
        (site / f"{name}-1.dist-info").mkdir(parents=True)
        (site / f"{name}-1.dist-info/METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        if record:
            (site / f"{name}-1.dist-info/RECORD").write_text(record)
    (site / "whole").mkdir()
    (site / "whole/__init__.py").write_text("")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    check_env.forget_broken()
    assert [path.name for path in site.glob("*.dist-info")] == ["whole-1.dist-info"]
