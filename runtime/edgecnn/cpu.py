"""The CPU: its name, its features, its cores."""

import os
import platform

from edgecnn.system_files import entry_of

# Features that matter to quantized kernels, by the flag in /proc/cpuinfo.
_FEATURES = {
    "neon": "NEON",
    "asimd": "NEON",
    "asimdhp": "fp16",
    "asimddp": "dot product",
    "i8mm": "i8mm",
    "sve": "SVE",
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "amx_int8": "AMX int8",
}
# Arm's own cores, by "CPU part". Source: Arm, the MIDR_EL1 register of each core's technical reference manual.
_ARM_CORES = {
    0xB76: "ARM1176",
    0xC07: "Cortex-A7",
    0xC08: "Cortex-A8",
    0xC09: "Cortex-A9",
    0xC0F: "Cortex-A15",
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1",
    0xD40: "Neoverse-V1",
    0xD41: "Cortex-A78",
    0xD49: "Neoverse-N2",
}


def cpu_name(cpuinfo: str) -> str:
    """The CPU's name, from the text of /proc/cpuinfo."""
    part, implementer = entry_of(cpuinfo, "CPU part"), entry_of(cpuinfo, "CPU implementer")
    if part and implementer and int(implementer, 0) == ord("A"):
        return _ARM_CORES.get(int(part, 0), f"Arm core {part}")
    return entry_of(cpuinfo, "model name") or platform.processor() or platform.machine()


def cpu_features(cpuinfo: str) -> tuple[str, ...]:
    """The CPU's features that matter to quantized kernels, from the text of /proc/cpuinfo."""
    flags = set((entry_of(cpuinfo, "Features") or entry_of(cpuinfo, "flags") or "").split())
    return tuple(dict.fromkeys(name for flag, name in _FEATURES.items() if flag in flags))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
