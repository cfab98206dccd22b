"""What the processor computes natively."""

import os

# From the least to the most; bf16 is native from AVX512_BF16 on.
INSTRUCTION_SETS = ("DEFAULT", "AVX2", "AVX512", "AVX512_BF16", "AMX")
# Names of ONEDNN_MAX_CPU_ISA (oneDNN's documentation, "CPU dispatcher control") by what they still allow.
ONEDNN_LIMITS = {"AVX512_CORE_BF16": "AVX512_BF16", "AVX512_CORE_FP16": "AVX512_BF16", "AVX10_1_512": "AVX512_BF16"}


def instruction_set() -> str:
    """The best of ``INSTRUCTION_SETS`` that the processor has and the environment allows torch and oneDNN to use."""
    import torch

    capability = torch.backends.cpu.get_cpu_capability()  # heeds ATEN_CPU_CAPABILITY
    if capability != "AVX512":
        return capability if capability in INSTRUCTION_SETS else "DEFAULT"
    has = "AVX512"
    if torch.cpu._is_avx512_bf16_supported():
        has = "AVX512_BF16"
    if torch.cpu._is_amx_tile_supported():
        has = "AMX"
    return min(has, _onednn_limit(os.environ.get("ONEDNN_MAX_CPU_ISA", "")), key=INSTRUCTION_SETS.index)


def _onednn_limit(name: str) -> str:
    """The best that a value of ONEDNN_MAX_CPU_ISA allows."""
    name = name.upper()
    if name in ("", "ALL", "DEFAULT") or "AMX" in name:
        return "AMX"
    if name in ONEDNN_LIMITS:
        return ONEDNN_LIMITS[name]
    return "AVX512" if name.startswith("AVX512") else "AVX2"


def has_native_bf16() -> bool:
    """Whether oneDNN computes bf16 natively; elsewhere it emulates it, eight times slower than float32."""
    return INSTRUCTION_SETS.index(instruction_set()) >= INSTRUCTION_SETS.index("AVX512_BF16")
