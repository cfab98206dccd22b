"""What the processor computes natively, and what a training makes of it."""

import pytest
import torch

from silvertalk.training.fit import TrainerOptions, choose_precision
from silvertalk.utils import processor


def have(monkeypatch, capability, bf16, amx, limit=""):
    """Let the processor be another one."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)


@pytest.mark.parametrize(
    "capability,bf16,amx,limit,wanted,precision",
    [
        ("DEFAULT", False, False, "", "DEFAULT", "32-true"),
        ("AVX2", True, True, "", "AVX2", "32-true"),  # as ATEN_CPU_CAPABILITY=avx2 leaves it
        ("AVX512", False, False, "", "AVX512", "32-true"),
        ("AVX512", True, False, "", "AVX512_BF16", "bf16-mixed"),
        ("AVX512", True, True, "", "AMX", "bf16-mixed"),
        ("AVX512", True, True, "avx512_core_amx", "AMX", "bf16-mixed"),
        ("AVX512", True, True, "AVX512_CORE_BF16", "AVX512_BF16", "bf16-mixed"),
        ("AVX512", True, True, "AVX512_CORE_VNNI", "AVX512", "32-true"),
        ("AVX512", True, True, "AVX2", "AVX2", "32-true"),
    ],
)
def test_half_precision_only_where_it_is_native(monkeypatch, capability, bf16, amx, limit, wanted, precision):
    have(monkeypatch, capability, bf16, amx, limit)
    assert processor.instruction_set() == wanted
    assert choose_precision(TrainerOptions(precision="auto")) == precision


def test_what_is_asked_for_is_taken(monkeypatch):
    have(monkeypatch, "AVX2", False, False)
    assert choose_precision(TrainerOptions(precision="bf16-mixed")) == "bf16-mixed"
    assert choose_precision(TrainerOptions()) == "32-true"
