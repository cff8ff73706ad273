"""The kinds of CPU that generated C has kernels for, and which kernel a step gets on each.

To add one: a row here, its attribute in kernels/targets.h, how a program finds it in templates/main.h, and
kernels/KERNEL_NAME.h for the kernels that it has. A kernel that it lacks is that of the CPU `below` it, at last
kernels/KERNEL_portable.h or KERNEL.h.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_KERNELS = Path(__file__).with_name("kernels")


@dataclass(frozen=True)
class Cpu:
    """A kind of CPU."""

    name: str
    macro: str | None = None  # defined where the compiler can aim at it, see kernels/targets.h
    attribute: str = ""  # of functions for it
    below: str | None = None  # the CPU whose kernels it can run
    include: str | None = None  # the compiler's header
    shared: str | None = None  # a file of kernels/ that its kernels share
    is_as_wide: bool = False  # as the CPU below it: plain C becomes the same instructions


PORTABLE = Cpu("portable")
CPUS = (
    PORTABLE,
    Cpu("avx2", "TARGET_X86", "AVX2", "portable", "immintrin.h", "x86"),
    Cpu("avxvnni", "TARGET_AVXVNNI", "AVXVNNI", "avx2", is_as_wide=True),
    Cpu("avx512vnni", "TARGET_X86", "AVX512VNNI", "avx2", "immintrin.h", "x86"),
    Cpu("neon", "TARGET_NEON", "", "portable", "arm_neon.h", "neon"),
    Cpu("neon_dot", "TARGET_NEON_DOT", "NEON_DOT", "neon", is_as_wide=True),
    Cpu("neon_i8mm", "TARGET_NEON_I8MM", "NEON_I8MM", "neon_dot", is_as_wide=True),
    Cpu("dsp", "TARGET_DSP", "", "portable", shared="dsp"),
    Cpu("helium", "TARGET_HELIUM", "", "portable", "arm_mve.h", "helium"),
    Cpu("rvv", "TARGET_RVV", "RVV", "portable", "riscv_vector.h", "rvv"),
)
MACROS = tuple(dict.fromkeys(cpu.macro for cpu in CPUS if cpu.macro))
_BY_NAME = {cpu.name: cpu for cpu in CPUS}


def kernel_file(name: str) -> str:
    """The text of kernels/NAME.h."""
    return (_KERNELS / f"{name}.h").read_text()


def has_kernel(kernel: str, cpu: Cpu) -> bool:
    """Whether kernels/KERNEL_CPU.h is there."""
    return (_KERNELS / f"{kernel}_{cpu.name}.h").exists()


def chain(cpu: Cpu) -> Iterator[Cpu]:
    """A CPU and those whose kernels it can run, the best first."""
    yield cpu
    if cpu.below:
        yield from chain(_BY_NAME[cpu.below])


def twin(cpu: Cpu) -> Cpu | None:
    """The CPU below another one, if they share the function of a step for which both have the same kernel."""
    return _BY_NAME[cpu.below] if cpu.below and cpu.is_as_wide else None


def of_macro(macro: str) -> list[Cpu]:
    """The CPUs of a family, the best first."""
    return [cpu for cpu in reversed(CPUS) if cpu.macro == macro]


def either(macro: str, text: str, other: str) -> str:
    """C for one family of CPUs, and for all others."""
    return f"#if defined {macro}\n{text}#else\n{other}#endif\n"


def only(macro: str | None, *texts: str) -> str:
    """C for one family of CPUs; without a macro for all."""
    inner = "\n".join(texts)
    return f"#if defined {macro}\n{inner}#endif\n" if macro else inner
