"""The machines that edgecnn is built for and tried on, a row each: emulation, bundles and instruction counts read it.

`python -m benchmarks.boards` emulates the rows with a CPU, `python -m deploy.bundle` makes bundles for the rows with a
target, docs/results.md has a column of instructions for the rows that are counted. A new board is a new row; a new
system needs its lock in requirements/ too (`make lock`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Debian's name of an architecture: its name in Python's wheels, and the target of `python -m convert.c --build`.
_ARCHITECTURES = {
    "amd64": ("x86_64", "linux-x86_64"),
    "arm64": ("aarch64", "linux-aarch64"),
    "armhf": ("armv7l", "linux-armv7"),
}


@dataclass(frozen=True)
class System:
    """A Debian with its Python: it decides which wheels and which C libraries fit."""

    suite: str
    architecture: str  # as Debian calls it
    python: str
    glibc: int  # 2.<glibc>
    # Packages without wheels for it: their modules, and Debian's packages of them.
    provided: Mapping[str, tuple[str, str]] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """Of its lock, requirements/board-NAME.txt, and of its emulated disk."""
        return f"{self.suite}-{self.architecture}"

    @property
    def machine(self) -> str:
        """The architecture as Python's wheels call it."""
        return _ARCHITECTURES[self.architecture][0]

    @property
    def library(self) -> str:
        """The architecture as `python -m convert.c --build` calls it."""
        return _ARCHITECTURES[self.architecture][1]


@dataclass(frozen=True)
class Core:
    """A CPU core as QEMU names it, and what its kernel reports in /proc and /sys."""

    qemu: str
    khz: int
    cpuinfo: tuple[tuple[str, str], ...]  # names and values in /proc/cpuinfo, of each core


def _arm(qemu: str, part: int, variant: int, revision: int, khz: int, features: str, architecture: int = 8) -> Core:
    """A core of ARM's own design."""
    lines = {
        "BogoMIPS": "108.00",
        "Features": features,
        "CPU implementer": "0x41",
        "CPU architecture": str(architecture),
        "CPU variant": f"{variant:#x}",
        "CPU part": f"{part:#x}",
        "CPU revision": str(revision),
    }
    return Core(qemu, khz, tuple(lines.items()))


@dataclass(frozen=True)
class Board:
    """A machine and the system on it."""

    name: str
    model: str
    system: System
    cpu: Core | None = None  # None: it is not emulated
    target: str = ""  # its name as a target of bundles; empty: it is none
    counted: bool = False  # whether docs/results.md has its instructions; the others have the CPU of one of these
    older: str = ""  # a lock in requirements/ whose packages come before the system's own

    @property
    def locks(self) -> tuple[str, ...]:
        """Names of locks in requirements/; a package comes from the first that has it."""
        return (self.older, self.system.name) if self.older else (self.system.name,)


_ARMV8 = "fp asimd evtstrm crc32 cpuid"
_ARMV8_2 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
_ARMV7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32"
_A53 = _arm("cortex-a53", part=0xD03, variant=0, revision=4, khz=1_400_000, features=_ARMV8)
_A72 = _arm("cortex-a72", part=0xD08, variant=0, revision=3, khz=1_800_000, features=_ARMV8)
_A72_32 = _arm("cortex-a15", part=0xD08, variant=0, revision=3, khz=1_800_000, features=_ARMV7, architecture=7)
_A76 = _arm("cortex-a76", part=0xD0B, variant=4, revision=1, khz=2_400_000, features=_ARMV8_2)
# The last of Intel's desktop CPUs before AVX-512; without what QEMU does not emulate.
_HASWELL = Core(
    "Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid",
    khz=3_400_000,
    cpuinfo=(
        ("vendor_id", "GenuineIntel"),
        ("model name", "Intel Core Processor (Haswell, no TSX)"),
        ("flags", "fpu sse sse2 ssse3 fma sse4_1 sse4_2 movbe popcnt avx f16c avx2 bmi1 bmi2"),
    ),
)

_BOOKWORM = System("bookworm", "arm64", "3.11", glibc=36)
_TRIXIE = System("trixie", "arm64", "3.13", glibc=41)
_PC = System("bookworm", "amd64", "3.11", glibc=36)
_BOOKWORM_32 = System(
    "bookworm",
    "armhf",
    "3.11",
    glibc=36,
    provided={
        "numpy": ("numpy", "python3-numpy"),
        "pillow": ("PIL", "python3-pil"),
        "opencv-python-headless": ("cv2", "python3-opencv"),
        "httptools": ("httptools", "python3-httptools"),
    },
)

_PI_3, _PI_4 = "Raspberry Pi 3 Model B Plus Rev 1.3", "Raspberry Pi 4 Model B Rev 1.4"
_PI_5 = "Raspberry Pi 5 Model B Rev 1.0"
TABLE = (
    Board("pi3", _PI_3, _BOOKWORM, _A53, target="pi3-bookworm", counted=True),
    Board("pi4", _PI_4, _BOOKWORM, _A72, target="pi4-bookworm", counted=True),
    Board("pi5", _PI_5, _BOOKWORM, _A76, target="pi5-bookworm", counted=True),
    Board("pi3-32", _PI_3, _BOOKWORM_32, target="pi3-32-bookworm"),
    Board("pi4-32", _PI_4, _BOOKWORM_32, _A72_32, target="pi4-32-bookworm"),
    Board("pi4-sigill", _PI_4, _BOOKWORM, _A72, older="onnxruntime-1.21.0"),  # an engine that kills its process
    Board("pi5-trixie", _PI_5, _TRIXIE, _A76, target="pi5-trixie"),
    Board("pc", "", _PC, target="pc-bookworm"),
    Board("pc-avx2", "", _PC, _HASWELL, counted=True),
)
EMULATED = {board.name: board for board in TABLE if board.cpu}
COUNTED = tuple(board.name for board in TABLE if board.counted)
TARGETS = {board.target: board.system for board in TABLE if board.target}
