#!/usr/bin/env python3
"""Print what this environment has, and what each missing thing disables.

Needs nothing but Python itself, so that it can speak about a broken
environment. Ends with code 1 only when something required is missing.
``--installed`` and ``--forget_broken`` are for ``tools/setup_env.sh``.
"""

import argparse
import fnmatch
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PYTHON = (3, 11)
# Shown in the table, of the many in the lock.
MAIN_PACKAGES = [
    "torch",
    "torchaudio",
    "torchvision",
    "lightning",
    "espnet",
    "numpy",
    "librosa",
    "kaldiio",
    "av",
    "opencv-python-headless",
    "face-alignment",
    "dlib-bin",
    "espeakng-loader",
    "pocketsphinx",
    "tensorboard",
    "pytest",
]
MIN_FREE_GB = 5.0
MAX_LISTED = 12  # packages in an error message


class Weights(NamedTuple):
    """A file that cannot be redistributed or is large, and is never required."""

    title: str
    names: tuple[str, ...]  # any of these file names will do; one with * in lower case, at any depth of the folder
    disables: str  # what does not work, or works differently, without it


# face-alignment looks in torch hub's folder; it downloads the files itself when it is online.
HUB_WEIGHTS = (
    Weights(
        "S3FD face detector",
        ("s3fd-619a316812.pth",),
        "face_backend face_alignment; dlib finds the faces instead",
    ),
    Weights(
        "FAN landmarks",
        ("3DFAN4-7835d9f11d.pth.tar",),
        "face_backend face_alignment; dlib places the landmarks instead",
    ),
    Weights(
        "FAN landmark depth",
        ("depth-2a464da4ea.pth.tar",),
        "face_backend face_alignment; with dlib landmarks have no depth",
    ),
)
USER_WEIGHTS = (
    Weights(
        "published Wav2Lip",
        ("wav2lip.pth", "wav2lip_gan.pth"),
        "lips by the published generator; stage 10 trains one",
    ),
    Weights(
        "published SyncNet expert",
        ("lipsync_expert.pth",),
        "training against the published expert; stage 9 trains one",
    ),
    Weights(
        "published SyncNet v2",
        ("*syncnet_v2*",),
        "LSE-D and LSE-C (--syncnet_v2); all other scores work without it",
    ),
    Weights(
        "published MakeItTalk",
        ("ckpt_autovc.pth", "ckpt_content_branch.pth", "ckpt_speaker_branch.pth", "ckpt_116_i2i_comb.pth"),
        "portraits by the published networks; stages 11 to 14 train others",
    ),
    Weights(
        "AdaptiveWing landmarks",
        ("wflw_4hg.pth",),
        "the 74 points that the published image translation was trained on (--awing_weights)",
    ),
    Weights(
        "GFPGAN",
        ("gfpgan*.pth", "gfpgan*.ckpt", "gfpgan*.safetensors"),
        "quality enhanced by GFPGAN; improved works without it",
    ),
    Weights(
        "RestoreFormer",
        ("restoreformer*.pth", "restoreformer*.ckpt", "restoreformer*.safetensors"),
        "quality enhanced by RestoreFormer; improved works without it",
    ),
    Weights(
        "CodeFormer",
        ("codeformer*.pth", "codeformer*.ckpt", "codeformer*.safetensors"),
        "quality enhanced by CodeFormer (needs spandrel_extra_arches, too; non-commercial)",
    ),
    Weights(
        "face parsing (ONNX)",
        (
            *("*parsing*.onnx", "*bisenet*.onnx", "*face_parser*.onnx", "*faceparser*.onnx"),
            *("resnet34.onnx", "resnet18.onnx"),
        ),
        "masks that spare hands and hair before the mouth; landmarks draw them instead",
    ),
)


def read_lock(path: Path) -> dict[str, str]:
    """Read ``name==version`` lines.

    Returns:
        Version of each package.
    """
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(line.split("==") for line in lines if line)


def normalised(name: str) -> str:
    """Package names compare without case and with ``-`` for ``_`` and ``.``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_versions() -> dict[str, str]:
    """Versions of all installed packages by normalised name."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(normalised(name), distribution.version)
    return found


def check_installed(lock: dict[str, str]) -> list[str]:
    """Compare the environment with the lock; differing versions are only reported.

    Returns:
        One line for each problem that cannot be lived with.
    """
    found = installed_versions()
    problems = []
    if sys.version_info[:2] != PYTHON:
        problems.append(f"Python {PYTHON[0]}.{PYTHON[1]} is needed, this is {sys.version.split()[0]}")
    missing = [f"{name}=={version}" for name, version in lock.items() if name not in found]
    if missing:
        listed = " ".join(missing[:MAX_LISTED]) + (" ..." if len(missing) > MAX_LISTED else "")
        problems.append(f"{len(missing)} of {len(lock)} packages are missing: {listed}")
    others = [f"{name} {found[name]} ({lock[name]})" for name in lock if found.get(name, lock[name]) != lock[name]]
    if others:
        print(f"note: {len(others)} packages differ from the tested versions: {', '.join(others)}", file=sys.stderr)
    return problems


def broken_packages() -> Iterator[tuple[str, Path]]:
    """Find packages whose installation was cut short.

    Yields:
        Name and metadata folder of each package that lacks files it should have.
    """
    for folder in Path(sys.prefix).glob("lib/python*/site-packages/*.dist-info"):
        name = folder.name.split("-")[0]
        try:
            distribution = importlib.metadata.PathDistribution(folder)
            # No list of files means that the installer did not reach its last step.
            files = distribution.files
            whole = files is not None and all(file.locate().exists() for file in files if file.suffix != ".pyc")
        except (OSError, ValueError):
            whole = False
        if not whole:
            yield name, folder


def forget_broken() -> None:
    """Remove the metadata of broken packages, so that an installer installs them again."""
    for name, folder in list(broken_packages()):
        print(f"{name}: incomplete, will be installed again", file=sys.stderr)
        shutil.rmtree(folder)


def gpu_lines() -> Iterator[tuple[str, str, str]]:
    """GPUs as the driver lists them; asking torch would take seconds and may fail."""
    program = shutil.which("nvidia-smi")
    text = ""
    if program:
        query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        text = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
    for line in text.splitlines():
        yield "GPU", line, "use it with --ngpu 1"
    if not text:
        yield "GPU", "none", "training at full size; the mini configurations train on the CPU"


def files_named(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Files of a folder with one of these names, or at any depth of it with one that fits a pattern."""
    for name in names:
        if "*" in name:
            files = (path for path in sorted(folder.rglob("*")) if fnmatch.fnmatch(path.name.lower(), name))
        else:
            files = iter([folder / name])
        yield from (path for path in files if path.is_file())


def weights_lines() -> Iterator[tuple[str, str, str]]:
    """The optional files, each with what its absence means."""
    hub = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache/torch")) / "hub/checkpoints"
    own = Path(os.environ.get("SILVERTALK_WEIGHTS", ROOT / "downloads/weights"))
    for folder, group in ((hub, HUB_WEIGHTS), (own, USER_WEIGHTS)):
        for weights in group:
            present = next(files_named(folder, weights.names), None)
            if present:
                yield weights.title, "present", str(present)
            else:
                yield weights.title, "missing", f"{weights.disables} (looked for {weights.names[0]} in {folder})"


def data_lines() -> Iterator[tuple[str, str, str]]:
    """Files carried by packages: the offline face landmarks and voice."""
    for package, pattern, use in (
        ("face-recognition-models", "shape_predictor_68_face_landmarks.dat", "dlib landmarks, stages 3 and 15"),
        ("scikit-image", "astronaut.png", "the face of the mini corpus"),
        ("espeakng-loader", "libespeak-ng.so", "the voice of the mini corpus"),
    ):
        try:
            files = importlib.metadata.files(package) or []
        except importlib.metadata.PackageNotFoundError:
            files = []
        found = any(file.name.startswith(pattern) for file in files)
        yield pattern, "present" if found else "missing", use


def table(lock: dict[str, str]) -> list[tuple[str, str, str]]:
    """All rows: what, state, remark."""
    found = installed_versions()
    rows = [("Python", sys.version.split()[0], sys.executable)]
    for name in MAIN_PACKAGES:
        wanted = lock.get(name, "")
        state = found.get(name, "missing")
        rows.append((name, state, "" if state == wanted else f"required: {wanted}"))
    here = found.get("silvertalk")
    rows.append(("silvertalk", here or "not installed", "" if here else "run tools/setup_env.sh, or set PYTHONPATH"))
    rows += data_lines()
    rows += gpu_lines()
    free = shutil.disk_usage(ROOT).free / 1e9
    rows.append(("disk", f"{free:.1f} GB free", "" if free > MIN_FREE_GB else f"little: {ROOT}"))
    rows += weights_lines()
    return rows


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lock", type=Path, default=ROOT / "tools/requirements.lock", help="the tested versions")
    parser.add_argument("--installed", action="store_true", help="only check that all packages are there; no table")
    parser.add_argument("--forget_broken", action="store_true", help="forget packages that lack some of their files")
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Check and print."""
    args = get_parser().parse_args(cmd)
    if args.forget_broken:
        forget_broken()
        return
    lock = read_lock(args.lock)
    if not args.installed:
        rows = table(lock)
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        for what, state, remark in rows:
            print(f"{what:<{widths[0]}}  {state:<{widths[1]}}  {remark}".rstrip())
    problems = check_installed(lock)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)


if __name__ == "__main__":
    main()
