"""Raspberry Pis and an older PC without the hardware: Debian's own files, run by QEMU's user emulation on this machine.

A board is a folder: the disk (Debian's packages, unpacked), the files of its kernel in /proc and /sys, and a virtual
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
from pathlib import Path

from edgecnn.command import OK, command, command_parser, print_json, table
from edgecnn.errors import EdgecnnError
from edgecnn.programs import run_program
from workstation.boards import EMULATED, Board, Core, System

HOME = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edgecnn" / "boards"
LOCKS = Path("requirements")
PLUGIN = "instructions.so"  # for QEMU: counts what the emulated CPU executes
_CORES = 4
_NEEDED = ("numpy", "pillow")  # by the runtime: Debian's own where pip has no wheels of them
_SHARED_LIBRARIES = ("libgomp1", "libatomic1", "libstdc++6")  # that the engines' wheels expect
_EMULATORS = {"x86_64": "qemu-x86_64", "aarch64": "qemu-aarch64", "armv7l": "qemu-arm"}
# Without it and /proc/cpuinfo, LiteRT and ONNX Runtime die: their library `cpuinfo` would read this machine's.
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


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.boards`."""
    parser = command_parser("python -m benchmarks.boards", __doc__)
    parser.add_argument("board", nargs="?", choices=list(EMULATED), metavar="BOARD", help=", ".join(EMULATED))
    parser.add_argument("words", type=str, nargs=argparse.REMAINDER, metavar="…", help="words for its Python")
    options = parser.parse_args(argv)
    boards = [EMULATED[options.board]] if options.board else list(EMULATED.values())
    build(boards)
    if options.words:
        return subprocess.run([python_of(boards[0]), *options.words], check=False).returncode
    pythons = {board.name: str(python_of(board)) for board in boards}
    if options.json:
        print_json(pythons)
    else:
        print(table(("board", "python"), pythons.items()))
    return OK


def python_of(board: Board, home: Path = HOME) -> Path:
    """The Python of a board's virtual environment; it is there once the board is built."""
    return home / board.name / "env/bin/python"


def build(boards: Iterable[Board], home: Path = HOME) -> None:
    """Build the missing parts of boards; the wheel is always built and installed again.

    Raises:
        EdgecnnError: the tools are missing, or Debian's packages or pip's wheels cannot be downloaded.
    """
    boards = list(boards)
    missing = [tool for tool in ("debootstrap", *_EMULATORS.values(), "cc") if not shutil.which(tool)]
    if missing:
        raise EdgecnnError(f"{missing[0]} is missing: apt-get install qemu-user debootstrap gcc libc6-dev")
    systems = dict.fromkeys(board.system for board in boards)
    locks = dict.fromkeys((board.system, lock) for board in boards for lock in board.locks)
    with ThreadPoolExecutor() as pool:  # they wait for the network
        unpacked = pool.map(lambda system: _unpack(system, home / system.name), systems)
        installed = pool.map(lambda pair: _install(pair[0], pair[1], home / "wheels"), locks)
        list(unpacked), list(installed)
    for board in boards:
        _equip(board, home)
    run_program("cc", "-O2", "-shared", "-fPIC", "-o", home / PLUGIN, Path(__file__).with_name("instructions.c"))


def _unpack(system: System, folder: Path) -> None:
    """Unpack Debian's packages into FOLDER/root; none of their programs runs."""
    root = folder / "root"
    if root.exists():
        return
    begun = folder / "begun"
    shutil.rmtree(begun, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    packages = ",".join(("python3", *_SHARED_LIBRARIES, *_debians_own(system)))
    options = (f"--arch={system.architecture}", "--foreign", "--variant=minbase", f"--include={packages}")
    run_program("debootstrap", *options, system.suite, begun)
    archives = begun / "var/cache/apt/archives"
    for package in archives.glob("*.deb"):
        run_program("dpkg", "-x", package, begun)
    shutil.rmtree(archives)
    _choose_blas(begun)
    begun.rename(root)


def _debians_own(system: System) -> list[str]:
    """Debian's packages of Python modules that the runtime needs and pip has no wheels of."""
    return [system.provided[name][1] for name in _NEEDED if name in system.provided]


def _choose_blas(root: Path) -> None:
    """Set the links that Debian's `update-alternatives` would set for numpy."""
    for library in root.glob("usr/lib/*/*/lib*.so.3"):
        link = library.parent.parent / library.name
        if library.parent.name in ("blas", "lapack") and not link.exists():
            link.symlink_to(library.relative_to(link.parent))


def _install(system: System, name: str, home: Path) -> None:
    """Install a lock's wheels into HOME/NAME, as pip would on that system."""
    lock, folder = LOCKS / f"board-{name}.txt", home / name
    if (folder / lock.name).exists() and (folder / lock.name).read_bytes() == lock.read_bytes():
        return
    shutil.rmtree(folder, ignore_errors=True)
    names = ["manylinux2014", *(f"manylinux_2_{minor}" for minor in range(17, system.glibc + 1))]
    tags = [f"--platform={name}_{system.machine}" for name in names]
    where = [*tags, f"--python-version={system.python}", "--only-binary=:all:", "--ignore-requires-python"]
    _pip("install", "--no-compile", "--require-hashes", "--no-deps", *where, f"--target={folder}", "-r", lock)
    shutil.copy(lock, folder)


def _equip(board: Board, home: Path) -> None:
    """Write a board's view of its disk, and its virtual environment with the engines and this checkout's `edgecnn`."""
    assert board.cpu  # else it is not emulated
    folder, python, system = home / board.name, python_of(board, home), board.system
    shutil.rmtree(folder, ignore_errors=True)
    files = folder / "files"
    _link(home / system.name / "root", files)
    _write_kernel_files(board, board.cpu, files)
    packages = folder / f"env/lib/python{system.python}/site-packages"
    packages.parent.mkdir(parents=True)
    _pip("install", "--no-compile", "--no-deps", "--no-build-isolation", f"--target={packages}", "./runtime")
    (packages / "engines.pth").write_text("".join(f"{home}/wheels/{name}\n" for name in board.locks))
    shared = str(bool(_debians_own(system))).lower()
    home_of_python = files / "usr/bin"  # in full: QEMU does not redirect all ways to look at a file
    (folder / "env/pyvenv.cfg").write_text(f"home = {home_of_python}\ninclude-system-site-packages = {shared}\n")
    emulator = f"{_EMULATORS[system.machine]} -cpu {board.cpu.qemu} -L {files}"
    python.parent.mkdir()
    python.write_text(
        f"#!/bin/sh\nexport PYTHONPYCACHEPREFIX={home}/{system.name}/pycache\n"
        f'exec {emulator} -0 "$0" {home_of_python}/python{system.python} "$@"\n'
    )
    python.chmod(0o755)


def _link(root: Path, folder: Path) -> None:
    """Link a disk's folders into a board's view, except those that its kernel fills."""
    folder.mkdir(parents=True)
    for path in root.iterdir():
        if path.name not in ("proc", "sys", "dev", "tmp"):
            (folder / path.name).symlink_to(path)


def _write_kernel_files(board: Board, cpu: Core, folder: Path) -> None:
    """Write the files in /proc and /sys in which a board's kernel reports the model and the CPU."""
    cores = [
        "".join(f"{name}\t: {text}\n" for name, text in (("processor", str(number)), *cpu.cpuinfo))
        for number in range(_CORES)
    ]
    texts = {"proc/cpuinfo": "\n".join(cores), "sys/devices/system/cpu/kernel_max": "255"}
    if board.model:
        texts["proc/cpuinfo"] += f"\nModel\t\t: {board.model}"
        texts["proc/device-tree/model"] = f"{board.model}\0"
    for name in ("possible", "present", "online"):
        texts[f"sys/devices/system/cpu/{name}"] = "0-3"
    for number in range(_CORES):
        for name, text in _TOPOLOGY.items():
            texts[f"sys/devices/system/cpu/cpu{number}/{name}"] = text.format(number=number, khz=cpu.khz)
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text + "\n")


def _pip(*words: object) -> None:
    command = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words)
    run_program(*command, failure="pip failed")


if __name__ == "__main__":
    sys.exit(main())
