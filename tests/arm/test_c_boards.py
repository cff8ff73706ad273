"""C on emulated boards and a microcontroller: every kernel for ARM, the engine `native`, and static programs."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from c_extremes import KINDS as EXTREMES
from conftest import Once, run
from test_c import POOL, c_networks, compiled

from benchmarks.board_trials import on
from benchmarks.boards import python_of
from benchmarks.micro.cpus import MICROS
from benchmarks.micro.measurement import CLANG, GCC, LEVELS, golden, measured
from workstation.boards import EMULATED

KINDS = tuple(kind.__name__ for kind in EXTREMES)
ON_HELIUM = ("conv", "depthwise", "dense", "add", "leaky_relu")
TARGETS = ("linux-aarch64", "linux-armv7", "linux-riscv64-musl")
_VECTORS = "rv64,v=true,vext_spec=v1.0"
# What zig's compiler aims at, and the emulators that run it, with the kernels that their CPU gets. With -s and the same
# -mtune the libc is the one that `python -m convert.c` has built.
MACHINES = {
    "aarch64": (
        ("-target", "aarch64-linux-musl", "-mtune=cortex_a53", "-s"),
        {
            ("qemu-aarch64", "-cpu", "cortex-a53"): "neon",
            ("qemu-aarch64", "-cpu", "cortex-a76"): "neon_dot",
            ("qemu-aarch64", "-cpu", "max"): "neon_i8mm",
        },
    ),
    "armv7": (("-target", "arm-linux-musleabihf", "-mcpu=generic+v7a+neon", "-s"), {("qemu-arm",): "neon"}),
    "riscv64": (
        ("-target", "riscv64-linux-musl", "-s"),
        {
            ("qemu-riscv64",): "portable",
            ("qemu-riscv64", "-cpu", f"{_VECTORS},vlen=128"): "rvv",
            ("qemu-riscv64", "-cpu", f"{_VECTORS},vlen=256"): "rvv",
        },
    ),
}


@pytest.fixture(scope="session")
def exported(trained: Path, once: Once) -> Path:
    """C of the model trained on digits, and what is built of it for boards."""

    def fill(folder: Path) -> None:
        for name in ("model.keras", "model_int8.tflite", "calibration.npz", "validation.npz", "evaluation.npz"):
            shutil.copy(trained / name, folder)
        done = run("convert.c", folder / "model.keras", "--build", *TARGETS)
        assert done.returncode == 0, done.stderr

    return once("c_for_boards", fill)


@pytest.mark.parametrize("machine", MACHINES)
def test_kernels_give_what_the_reference_kernels_give(
    machine: str, exported: Path, once: Once, trained: Path, tmp_path: Path
) -> None:
    """With one to five threads."""
    networks, (aimed, emulators) = c_networks(once, trained), MACHINES[machine]
    golden, layers = tmp_path / "golden", tmp_path / "layers"
    compiled(
        exported, golden, [exported / "model_int8.c", exported / "model_int8_test.c"], *aimed, "-O2", "-static", *POOL
    )
    compiled(
        networks, layers, sorted(networks.glob("*.c")), *aimed, "-O1", "-w", "-static", *POOL, "-DEDGECNN_NO_STDIO"
    )
    for emulator, kernels in emulators.items():
        done = subprocess.run([*emulator, golden], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"kernels {kernels}" in done.stdout
        done = subprocess.run([*emulator, layers], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.parametrize("name", ["pi4", "pi5", "pi4-32"])
def test_the_engine_native_on_a_board(name: str, exported: Path) -> None:
    words = ("check", exported / "model_int8.tflite", exported / "evaluation.npz", "--engine", "native", "--json")
    found = json.loads(on(EMULATED[name], "-m", "edgecnn", *words).stdout)
    assert (found["engine"], found["verdict"]) == ("native", "PASS")


def test_a_library_for_another_cpu_ends_in_a_line(exported: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(exported, tmp_path / "own"))
    said = json.loads((own / "model_int8.native.json").read_text())
    said["libraries"]["linux-aarch64"] = said["libraries"]["linux-armv7"]
    (own / "model_int8.native.json").write_text(json.dumps(said))
    words = (python_of(EMULATED["pi4"]), "-m", "edgecnn", "check", own / "model_int8.tflite", own / "evaluation.npz")
    done = subprocess.run([*words, "--engine", "native"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot be loaded here" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("target", "emulator", "largest"),
    [  # bytes: on 64-bit ARM the weights lie there twice, for CPUs with the dot product and for those without
        ("linux-aarch64", "qemu-aarch64", 250_000),
        ("linux-armv7", "qemu-arm", 200_000),
        ("linux-riscv64-musl", "qemu-riscv64", 200_000),
    ],
)
def test_the_static_program_runs(target: str, emulator: str, largest: int, exported: Path, tmp_path: Path) -> None:
    picture = tmp_path / "blank.pgm"
    picture.write_bytes(b"P5 28 28 255\n" + bytes(28 * 28))
    program = exported / f"model_int8-{target}"
    done = subprocess.run([emulator, program, picture], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{picture}: ")
    assert program.stat().st_size <= largest


@pytest.mark.parametrize(("cpu", "compiler", "level"), [
    ("m0+", GCC, "-Os"), ("m4", GCC, "-Os"), ("m33", GCC, "-O3"), ("m4", CLANG, "-Os"), ("m33", CLANG, "-O3"),
    ("m55", GCC, "-Os"), ("m55", CLANG, "-O3"), ("rv32", CLANG, "-O3"),
])  # fmt: skip
def test_extreme_layers_on_microcontrollers(
    cpu: str, compiler: str, level: str, once: Once, trained: Path, tmp_path: Path
) -> None:
    networks = c_networks(once, trained)
    names = [source.stem.removesuffix("_test") for source in networks.glob("*_test.c")]
    names = [name for name in names if name.startswith(KINDS if cpu != "m55" else ON_HELIUM)]
    sources = [networks / f"{name}{end}.c" for name in names for end in ("", "_test")]
    parts = tmp_path / "extremes.c"
    calls = " + ".join(f"{name}_test()" for name in names)
    declared = "".join(f"int {name}_test(void);\n" for name in names)
    parts.write_text(f"{declared}int extremes_{len(names)}_test(void) {{ return {calls}; }}\n")
    assert golden(f"extremes_{len(names)}", [parts, *sources], MICROS[cpu], level, compiler) == 0


@pytest.mark.parametrize("compiler", [GCC, CLANG])
@pytest.mark.parametrize("cpu", MICROS)
def test_a_microcontroller_passes_the_golden_test(cpu: str, compiler: str, exported: Path) -> None:
    for level in LEVELS:
        figures = measured(exported / "model_int8.c", MICROS[cpu], level, compiler)
        assert figures.wrong == 0
        assert 0 < figures.ram < 16_000
        assert 0 < figures.stack < 1_000
        assert figures.instructions > 10_000


def test_sums_stay_in_registers_where_code_is_small(exported: Path) -> None:
    """-Os without any flag: the DSP kernels take half of the portable ones' instructions, as at -O3."""
    source = exported / "model_int8.c"
    small, fast = (measured(source, MICROS["m4"], level).instructions for level in LEVELS)
    portable = measured(source, MICROS["rv32"], LEVELS[0]).instructions
    assert small < 1.1 * fast
    assert small < 0.5 * portable


def test_the_benchmark_prints_its_table(exported: Path) -> None:
    done = run("benchmarks.micro", exported / "model_int8.c", "--cpus", "m4", "--levels=-Os", "--clock", "64", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert row["title"] == "Cortex-M4"
    assert row["estimate_ms"] == pytest.approx(row["instructions"] / 64_000)
