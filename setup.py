"""The package `silvertalk` and its command of the same name."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
VERSION = re.search(r'^__version__ = "(.+)"', (ROOT / "silvertalk/__init__.py").read_text(), re.M).group(1)

setup(
    name="silvertalk",
    version=VERSION,
    description="From text to a talking face: Kaldi-style recipes for JETS and Wav2Lip",
    license="Apache-2.0",
    packages=find_packages(include=["silvertalk", "silvertalk.*"]),
    package_data={"silvertalk": ["voices/*/*"], "silvertalk.makeittalk.cartoon": ["puppet_page/*"]},
    python_requires=">=3.11,<3.12",
    # What the code imports. tools/requirements.lock has the versions that were tested together.
    install_requires=[
        "av",
        "dlib-bin",
        "espeakng-loader",
        "espnet>=202511",
        "face-alignment>=1.5",
        "face-recognition-models",
        "jsonargparse>=4",
        "kaldiio>=2.18",
        "librosa>=0.11",
        "lightning>=2.6",
        "matplotlib",
        "num2words",
        "numpy>=2",
        "onnx",
        "onnxruntime>=1.31",
        "opencv-python-headless>=4",
        "openvino>=2026.4",
        "pillow",
        "pocketsphinx>=5.1",
        "pysptk",
        "pyworld",
        "PyYAML",
        "safetensors",
        "scikit-image",
        "scipy",
        "soundfile",
        "soxr",
        "spandrel>=0.4",
        "tensorboard",
        "torch>=2.12",
        "torchaudio>=2.11",
        "torchmetrics",
        "tqdm",
    ],
    entry_points={"console_scripts": ["silvertalk=silvertalk.bin.silvertalk:main"]},
)
