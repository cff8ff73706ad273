"""Raspberry Pis without the hardware: Debian's own files, run by QEMU's user emulation on this machine.

A board is a folder: the disk (Debian's packages, unpacked), what its kernel would say in /proc and /sys, and a virtual
environment with the engines and the wheel, whose `python` starts the emulator. It answers as the board does, by the
same machine code; its seconds mean nothing.

Needs root, and Debian's qemu-user and debootstrap.

Examples:
  python -m benchmarks.boards                         build them all
  python -m benchmarks.boards pi4                     build one
  python -m benchmarks.boards pi4 -m edgecnn doctor   run its Python
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edgecnn.command import OK, command, command_parser, print_json, table
from edgecnn.errors import EdgecnnError

HOME = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edgecnn" / "boards"
LOCKS = Path("requirements")
PLUGIN = "instructions.so"  # for QEMU: counts what the emulated CPU executes
_CORES = 4
_SHARED_LIBRARIES = ("libgomp1", "libatomic1", "libstdc++6")  # that the engines' wheels expect
# Without these two, LiteRT and ONNX Runtime die: their library `cpuinfo` would read this machine's.
_CPUINFO = """\
processor\t: {number}
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: {architecture}
CPU variant\t: {variant:#x}
CPU part\t: {part:#x}
CPU revision\t: {revision}

"""
_TOPOLOGY = {
    "cpufreq/cpuinfo_max_freq": "{khz}",
    "cpufreq/cpuinfo_min_freq": "600000",
    "topology/physical_package_id": "0",
    "topology/core_id": "{number}",
    "topology/core_siblings_list": "0-3",
    "topology/package_cpus_list": "0-3",
    "topology/cluster_cpus_list": "0-3",
    "cache/index2/level": "2",
    "cache/index2/size": "1024K",
    "cache/index2/shared_cpu_list": "0-3",
}


@dataclass(frozen=True)
class Disk:
    """A Debian, as its packages unpack; boards share it."""

    suite: str
    architecture: str  # as Debian calls it
    python: str
    machine: str  # as Python's wheels call it
    packages: tuple[str, ...] = ()  # of Python, where pip has no wheels

    @property
    def name(self) -> str:
        """Of its folder, and of the lock in requirements/."""
        return f"{self.suite}-{self.architecture}"


@dataclass(frozen=True)
class Cpu:
    """A core as QEMU calls it, and what the kernel says of it."""

    qemu: str
    part: int
    variant: int
    revision: int
    khz: int
    features: str


@dataclass(frozen=True)
class Board:
    """A board and what runs on it."""

    name: str
    model: str
    cpu: Cpu
    disk: Disk
    older: str = ""  # a lock whose packages come before the disk's own

    @property
    def locks(self) -> tuple[str, ...]:
        """What is installed from: names in requirements/, the first found first."""
        return (self.older, self.disk.name) if self.older else (self.disk.name,)

    def python(self, home: Path = HOME) -> Path:
        """Of its virtual environment; there once the board is built."""
        return home / self.name / "env/bin/python"


_ARMV8 = "fp asimd evtstrm crc32 cpuid"
_ARMV8_2 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
_ARMV7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32"

_BOOKWORM = Disk("bookworm", "arm64", "3.11", "aarch64")
_BOOKWORM_32 = Disk("bookworm", "armhf", "3.11", "armv7l", ("python3-numpy", "python3-pil"))
_TRIXIE = Disk("trixie", "arm64", "3.13", "aarch64")

_PI_3 = Cpu("cortex-a53", 0xD03, 0, 4, 1_400_000, _ARMV8)
_PI_4 = Cpu("cortex-a72", 0xD08, 0, 3, 1_800_000, _ARMV8)
_PI_4_32 = Cpu("cortex-a15", 0xD08, 0, 3, 1_800_000, _ARMV7)
_PI_5 = Cpu("cortex-a76", 0xD0B, 4, 1, 2_400_000, _ARMV8_2)

BOARDS = {
    board.name: board
    for board in (
        Board("pi3", "Raspberry Pi 3 Model B Plus Rev 1.3", _PI_3, _BOOKWORM),
        Board("pi4", "Raspberry Pi 4 Model B Rev 1.4", _PI_4, _BOOKWORM),
        Board("pi5", "Raspberry Pi 5 Model B Rev 1.0", _PI_5, _BOOKWORM),
        Board("pi4-32", "Raspberry Pi 4 Model B Rev 1.4", _PI_4_32, _BOOKWORM_32),
        Board("pi4-sigill", "Raspberry Pi 4 Model B Rev 1.4", _PI_4, _BOOKWORM, older="onnxruntime-1.21.0"),
        Board("pi5-trixie", "Raspberry Pi 5 Model B Rev 1.0", _PI_5, _TRIXIE),
    )
}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.boards`."""
    parser = command_parser("python -m benchmarks.boards", __doc__)
    parser.add_argument("board", nargs="?", choices=list(BOARDS), metavar="BOARD", help=", ".join(BOARDS))
    parser.add_argument("words", type=str, nargs=argparse.REMAINDER, metavar="…", help="what its Python is given")
    options = parser.parse_args(argv)
    boards = [BOARDS[options.board]] if options.board else list(BOARDS.values())
    build(boards)
    if options.words:
        return subprocess.run([boards[0].python(), *options.words], check=False).returncode
    pythons = {board.name: str(board.python()) for board in boards}
    if options.json:
        print_json(pythons)
    else:
        print(table(("board", "python"), pythons.items()))
    return OK


def build(boards: Iterable[Board], home: Path = HOME) -> None:
    """Build boards as far as they are not there; the wheel is always made anew.

    Raises:
        EdgecnnError: the tools are missing, or Debian's packages or pip's wheels cannot be had.
    """
    boards = list(boards)
    missing = [tool for tool in ("debootstrap", "qemu-aarch64", "qemu-arm", "cc") if not shutil.which(tool)]
    if missing:
        raise EdgecnnError(f"{missing[0]} is missing: apt-get install qemu-user debootstrap gcc libc6-dev")
    disks = dict.fromkeys(board.disk for board in boards)
    wheels = dict.fromkeys((board.disk, lock) for board in boards for lock in board.locks)
    with ThreadPoolExecutor() as pool:  # they wait for the network
        unpacked = pool.map(lambda disk: _unpack(disk, home / disk.name), disks)
        installed = pool.map(lambda each: _install(each[0], each[1], home / "wheels"), wheels)
        list(unpacked), list(installed)
    for board in boards:
        _equip(board, home)
    _run("cc", "-O2", "-shared", "-fPIC", "-o", home / PLUGIN, Path(__file__).with_name("instructions.c"))


def _unpack(disk: Disk, folder: Path) -> None:
    """Debian's files, as its packages have them: nothing of theirs is run."""
    root = folder / "root"
    if root.exists():
        return
    begun = folder / "begun"
    shutil.rmtree(begun, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    packages = ",".join(("python3", *_SHARED_LIBRARIES, *disk.packages))
    _run("debootstrap", f"--arch={disk.architecture}", "--foreign", "--variant=minbase", f"--include={packages}",
         disk.suite, begun)  # fmt: skip
    archives = begun / "var/cache/apt/archives"
    for package in archives.glob("*.deb"):
        _run("dpkg", "-x", package, begun)
    shutil.rmtree(archives)
    _choose_blas(begun)
    begun.rename(root)


def _choose_blas(root: Path) -> None:
    """The links that Debian's `update-alternatives` would set for numpy."""
    for library in root.glob("usr/lib/*/*/lib*.so.3"):
        link = library.parent.parent / library.name
        if library.parent.name in ("blas", "lapack") and not link.exists():
            link.symlink_to(library.relative_to(link.parent))


def _install(disk: Disk, name: str, home: Path) -> None:
    """A lock's wheels for a disk's Python, as pip would unpack them there."""
    lock, folder = LOCKS / f"board-{name}.txt", home / name
    if (folder / lock.name).exists() and (folder / lock.name).read_bytes() == lock.read_bytes():
        return
    shutil.rmtree(folder, ignore_errors=True)
    tags = [f"--platform=manylinux_2_{minor}_{disk.machine}" for minor in range(17, 37)]
    where = [*tags, f"--python-version={disk.python}", "--only-binary=:all:", "--ignore-requires-python"]
    _pip("install", "--no-compile", "--require-hashes", "--no-deps", *where, f"--target={folder}", "-r", lock)
    shutil.copy(lock, folder)


def _equip(board: Board, home: Path) -> None:
    """A board's view of its disk, and its virtual environment with the engines and this checkout's `edgecnn`."""
    folder, python = home / board.name, board.python(home)
    shutil.rmtree(folder, ignore_errors=True)
    files = _files(board, home / board.disk.name / "root", folder / "files")
    packages = folder / f"env/lib/python{board.disk.python}/site-packages"
    packages.parent.mkdir(parents=True)
    _pip("install", "--no-compile", "--no-deps", "--no-build-isolation", f"--target={packages}", "./runtime")
    (packages / "engines.pth").write_text("".join(f"{home}/wheels/{name}\n" for name in board.locks))
    shared = str(bool(board.disk.packages)).lower()
    home_of_python = files / "usr/bin"  # in full: QEMU does not redirect each of the ways to look at a file
    (folder / "env/pyvenv.cfg").write_text(f"home = {home_of_python}\ninclude-system-site-packages = {shared}\n")
    emulator = f"qemu-{'aarch64' if board.disk.machine == 'aarch64' else 'arm'} -cpu {board.cpu.qemu} -L {files}"
    python.parent.mkdir()
    python.write_text(
        f"#!/bin/sh\nexport PYTHONPYCACHEPREFIX={home}/{board.disk.name}/pycache\n"
        f'exec {emulator} -0 "$0" {home_of_python}/python{board.disk.python} "$@"\n'
    )
    python.chmod(0o755)


def _files(board: Board, root: Path, folder: Path) -> Path:
    """The board's view: the disk, and over it what its kernel says."""
    folder.mkdir(parents=True)
    for each in root.iterdir():
        if each.name not in ("proc", "sys", "dev", "tmp"):
            (folder / each.name).symlink_to(each)
    cpu, architecture = board.cpu, 8 if board.disk.machine == "aarch64" else 7
    known = {"features": cpu.features, "variant": cpu.variant, "part": cpu.part, "revision": cpu.revision}
    cores = [_CPUINFO.format(number=number, architecture=architecture, **known) for number in range(_CORES)]
    said = {
        "proc/cpuinfo": "".join(cores) + f"Model\t\t: {board.model}",
        "proc/device-tree/model": f"{board.model}\0",
        "sys/devices/system/cpu/kernel_max": "255",
    }
    for name in ("possible", "present", "online"):
        said[f"sys/devices/system/cpu/{name}"] = "0-3"
    for number in range(_CORES):
        for name, text in _TOPOLOGY.items():
            said[f"sys/devices/system/cpu/cpu{number}/{name}"] = text.format(number=number, khz=cpu.khz)
    for path, text in said.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text + "\n")
    return folder


def _pip(*words: object) -> None:
    _run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words)


def _run(*words: object) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise EdgecnnError(f"{words[0]} {words[1]} failed: {last}")


if __name__ == "__main__":
    sys.exit(main())
