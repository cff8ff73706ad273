"""Kinds of microcontroller: what compilers aim at, and the machine of QEMU that runs them. A new one is a row."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.errors import EdgecnnError

ARM, RISCV = "arm-none-eabi-gcc", "riscv64-unknown-elf-gcc"
_PACKAGES = {ARM: "gcc-arm-none-eabi", RISCV: "gcc-riscv64-unknown-elf"}  # Debian's


@dataclass(frozen=True)
class Memory:
    """Of a machine of qemu-system-arm: where it starts, and begin and size of flash and RAM."""

    vectors: str
    flash: tuple[str, str]
    ram: tuple[str, str]


@dataclass(frozen=True)
class Micro:
    """A kind of CPU."""

    title: str
    examples: str  # boards and chips
    compiler: str  # GCC
    gcc: tuple[str, ...]
    clang: tuple[str, ...]  # zig cc
    emulator: tuple[str, ...]
    memory: Memory | None = None  # of a machine of qemu-system-arm


_FLAT = Memory("0x00000000", ("0x00000400", "4095K"), ("0x20000000", "4M"))
_AN505 = Memory("0x10000000", ("0x10000400", "4095K"), ("0x38000000", "2M"))
_AN547 = Memory("0x00000000", ("0x01000000", "2M"), ("0x21000000", "4M"))
_FLOAT = "-mfloat-abi=hard"


def _arm(
    title: str,
    examples: str,
    cpu: str,
    clang: str,
    machine: str,
    gcc: Sequence[str] = (_FLOAT, "-mfpu=fpv5-sp-d16"),
    memory: Memory = _FLAT,
) -> Micro:
    """A Cortex-M on a machine of qemu-system-arm; `clang` is zig's target and CPU."""
    target, zig = clang.split()
    aimed = ("-target", f"thumb-freestanding-{target}", f"-mcpu={zig}")
    emulator = ("qemu-system-arm", "-M", machine, "-nographic", "-semihosting")
    return Micro(title, examples, ARM, (f"-mcpu={cpu}", "-mthumb", *gcc), aimed, emulator, memory)


MICROS = {
    # A Cortex-M3 runs what is compiled for a Cortex-M0+.
    "m0+": _arm("Cortex-M0+", "Pico (RP2040)", "cortex-m0plus", "eabi cortex_m0plus", "mps2-an385", ()),
    "m4": _arm(
        "Cortex-M4",
        "Nano 33 BLE, Nucleo-F4",
        "cortex-m4",
        "eabihf cortex_m4+vfp4d16sp",
        "mps2-an386",
        (_FLOAT, "-mfpu=fpv4-sp-d16"),
    ),
    "m7": _arm("Cortex-M7", "Portenta H7, Teensy 4", "cortex-m7", "eabihf cortex_m7+fp_armv8d16sp", "mps2-an500"),
    "m33": _arm(
        "Cortex-M33",
        "Pico 2 (RP2350), Nucleo-U5",
        "cortex-m33",
        "eabihf cortex_m33+dsp",
        "mps2-an505",
        memory=_AN505,
    ),
    "m55": _arm(
        "Cortex-M55",
        "Alif Ensemble, STM32N6",
        "cortex-m55",
        "eabihf cortex_m55+mve_fp",
        "mps3-an547",
        (_FLOAT,),
        memory=_AN547,
    ),
    "rv32": Micro(
        "RV32IMC",
        "ESP32-C3",
        RISCV,
        ("-march=rv32imc", "-mabi=ilp32"),
        ("-target", "riscv32-freestanding", "-mcpu=generic_rv32+m+c"),
        ("qemu-riscv32",),
    ),
}


def missing(program: str) -> EdgecnnError:
    """The error where a compiler or an emulator is not installed."""
    emulators = "qemu-user" if program == "qemu-riscv32" else "qemu-system-arm"
    return EdgecnnError(f"{program} is not here: apt-get install {_PACKAGES.get(program, emulators)}")
