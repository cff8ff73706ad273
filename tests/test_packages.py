"""Packages for IDEs: they build as their systems build them, and the example gives what the reference kernels give."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, Once, refused, run

from convert.c.packages import SYSTEMS
from edgecnn.errors import EdgecnnError

SHIPPED = ROOT / "runtime/edgecnn/mnist_int8.tflite"
NAMED = ("--package", *SYSTEMS, "--license", "mit")
RV32 = ("riscv64-unknown-elf-gcc", "-march=rv32imc", "-mabi=ilp32", "-std=gnu11", "-Os", "-ffreestanding", "-Wall")
ARDUINO_BUILDER = Path("/usr/share/arduino-builder")  # Debian's


@pytest.fixture(scope="session")
def exported(once: Once) -> Path:
    """The shipped model in a package for each system."""

    def fill(folder: Path) -> None:
        done = run("convert.c", SHIPPED, "--output", folder / "Digits.c", *NAMED)
        assert done.returncode == 0, done.stderr
        assert all(f"Digits-{system}.zip" in done.stdout for system in SYSTEMS)

    return once("packages", fill)


def wanted(*programs: str) -> None:
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        pytest.skip(f"{missing[0]} is not here")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_zip_holds_the_folder(system: str, exported: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(exported / f"Digits-{system}.zip") as archive:
        archive.extractall(tmp_path)
    folder = exported / f"Digits-{system}"
    files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    unpacked = {
        path.relative_to(tmp_path / "Digits"): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert files == unpacked
    assert "@{" not in b"".join(files.values()).decode()


def test_the_arduino_library_builds_and_runs(exported: Path, tmp_path: Path) -> None:
    """By Debian's arduino-builder with a core of the tests' own, under QEMU."""
    wanted("arduino-builder", "arm-none-eabi-g++", "qemu-system-arm")
    library = tmp_path / "libraries/Digits"
    shutil.copytree(exported / "Digits-arduino", library)
    for sketch in ("Camera", "Classify"):
        build = tmp_path / sketch
        build.mkdir()
        words = ["-compile", "-fqbn", "tests:arm:m4", "-build-path", build, "-libraries", library.parent]
        words += ["-hardware", ARDUINO_BUILDER, "-hardware", ROOT / "tests/arduino/hardware", "-tools", "/usr/bin"]
        words += [library / f"examples/{sketch}/{sketch}.ino"]
        done = subprocess.run(["arduino-builder", *map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    emulator = ("qemu-system-arm", "-M", "mps2-an386", "-nographic", "-semihosting", "-kernel")
    words = [*emulator, str(tmp_path / "Classify/Classify.ino.elf")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=300)
    lines = (ended.stdout + ended.stderr).split("\n")
    assert lines.count("") <= 1
    assert len(lines) > 4
    assert all(", right, " in line for line in lines if line), lines


def test_library_properties_have_every_required_key(exported: Path) -> None:
    lines = (exported / "Digits-arduino/library.properties").read_text().splitlines()
    properties = dict(line.split("=", 1) for line in lines)
    required = ["name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"]
    assert all(properties[key] for key in required)
    assert (properties["name"], properties["version"], properties["license"]) == ("Digits", "1.0.0", "MIT")


@pytest.mark.parametrize(
    ("license_name", "lines"),
    [
        ("Apache-2.0", ["Apache License", "END OF TERMS AND CONDITIONS"]),
        ("MIT", ["MIT License", "Permission is hereby granted"]),
        ("BSD-3-Clause OR GPL-2.0-only", ["Neither the name", "https://spdx.org/licenses/GPL-2.0-only.html"]),
        ("LicenseRef-Ours", ["put its text here"]),
    ],
)
def test_a_license_has_its_text_or_the_place_of_it(license_name: str, lines: list[str]) -> None:
    from convert.c.licenses import license_text

    text = license_text(license_name)
    assert text.startswith(f"SPDX-License-Identifier: {license_name}\n")
    assert all(line in text for line in lines)


def test_platformio_takes_its_manifest(exported: Path) -> None:
    """By PlatformIO's parser and schema; the list of licenses, which it would fetch, is that of `packaging`."""
    from packaging.licenses._spdx import LICENSES
    from platformio.package.manifest.parser import ManifestParserFactory
    from platformio.package.manifest.schema import ManifestSchema

    class Offline(ManifestSchema):
        @staticmethod
        def load_spdx_licenses() -> dict[str, list[dict[str, str]]]:
            return {"licenses": [{"licenseId": entry["id"]} for entry in LICENSES.values()]}

    folder = exported / "Digits-platformio"
    library = ManifestParserFactory.new_from_file(str(folder / "library.json")).as_dict()
    assert Offline().load_manifest(library) == library
    assert (library["name"], library["version"], library["license"]) == ("Digits", "1.0.0", "MIT")
    assert (folder / "src" / library["headers"][0]).exists()
    assert all((folder / one["base"] / file).exists() for one in library["examples"] for file in one["files"])


def test_espressifs_manager_packs_the_component(exported: Path, tmp_path: Path) -> None:
    component = shutil.copytree(exported / "Digits-esp-idf", tmp_path / "digits")
    compote = Path(sys.executable).with_name("compote")
    words = [compote, "component", "pack", "--name", "digits", "--project-dir", component, "--dest-dir", tmp_path]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(tmp_path / "digits_1.0.0.tgz") as archive:
        packed = {name.removeprefix("./") for name in archive.getnames()}
    assert {"idf_component.yml", "CMakeLists.txt", "Digits.c", "LICENSE", "examples/classify/main/main.c"} <= packed
    example = component / "examples/classify/main"
    dependencies = yaml.safe_load((example / "idf_component.yml").read_text())["dependencies"]
    assert (example / dependencies["digits"]["override_path"]).resolve() == component


# The keys that Zephyr knows, and types: its scripts/schemas, module-schema.yaml and twister/testsuite-schema.yaml.
ZEPHYR_BUILD = dict.fromkeys(["cmake", "kconfig", "sysbuild-cmake", "sysbuild-kconfig"], str) | {"depends": list}
ZEPHYR_MODULE = {"name": str, "build": dict, "tests": list, "samples": list, "boards": list, "blobs": list}
ZEPHYR_SAMPLE = {"sample": dict, "common": dict, "tests": dict}
ZEPHYR_TEST = {"tags": str, "harness": str, "harness_config": dict, "build_only": bool, "integration_platforms": list}
ZEPHYR_HARNESS = {"type": str, "regex": list, "ordered": bool, "repeat": int, "record": dict, "fixture": str}


def holds_only(entries: dict[str, object], known: dict[str, type]) -> bool:
    return all(isinstance(content, known.get(key, ())) for key, content in entries.items())


def test_zephyr_knows_all_keys(exported: Path) -> None:
    """And the files and folders that they name are there, as scripts/zephyr_module.py wants them."""
    folder = exported / "Digits-zephyr"
    module = yaml.safe_load((folder / "zephyr/module.yml").read_text())
    assert holds_only(module, ZEPHYR_MODULE)
    assert holds_only(module["build"], ZEPHYR_BUILD)
    assert (folder / module["build"]["cmake"] / "CMakeLists.txt").exists()
    assert (folder / module["build"]["kconfig"]).exists()
    (sample,) = (yaml.safe_load(path.read_text()) for path in (folder / module["samples"][0]).rglob("sample.yaml"))
    assert holds_only(sample, ZEPHYR_SAMPLE)
    assert set(sample["sample"]) <= {"name", "description"}
    ((name, scenario),) = sample["tests"].items()
    assert re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+", name)
    assert holds_only(scenario, ZEPHYR_TEST)
    assert holds_only(scenario["harness_config"], ZEPHYR_HARNESS)
    assert scenario["harness_config"]["type"] in ("one_line", "multi_line")


@pytest.mark.parametrize(
    ("system", "main", "stubs"),
    [
        (
            "esp-idf",
            "examples/classify/main",
            {"esp_timer.h": "#include <stdint.h>\nint64_t esp_timer_get_time(void);"},
        ),
        (
            "zephyr",
            "samples/classify/src",
            {
                "zephyr/kernel.h": "#include <stdint.h>\nuint32_t k_cycle_get_32(void);\n"
                "uint32_t k_cyc_to_us_floor32(uint32_t);\nvoid printk(const char *, ...);"
            },
        ),
    ],
)
def test_components_compile_for_rv32imc(
    system: str, main: str, stubs: dict[str, str], exported: Path, tmp_path: Path
) -> None:
    """With stubs for what the system has: nobody's headers but C's are there."""
    wanted(RV32[0])
    c_headers = {"stdio.h": "int printf(const char *, ...);", "string.h": "#include <stddef.h>\n"
                 "int memcmp(const void *, const void *, size_t);"}  # fmt: skip
    for name, text in (stubs | c_headers).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"#pragma once\n{text}\n")
    folder = exported / f"Digits-{system}"
    sources = [*folder.glob("*.c"), *folder.glob("src/*.c"), folder / main / "main.c"]
    for source in sources:
        words = [*RV32, "-Werror", "-c", source, "-o", tmp_path / "o", f"-I{tmp_path}", f"-I{folder}/include"]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("name", "words", "line"),
    [
        ("arduino_digits.c", NAMED, "no library may be called"),
        ("9digits.c", NAMED, "no library may be called"),
        ("digits.c", ("--package", "arduino"), "--license with an SPDX identifier"),
        ("digits.c", ("--package", "arduino", "--license", "mine"), "no SPDX identifier"),
        ("digits.c", ("--package", "basic", "--license", "MIT"), "no package for basic"),
        ("digits.c", (*NAMED, "--package-version", "one"), "is no version"),
    ],
)
def test_bad_input_gets_a_line_and_no_file(name: str, words: tuple[str, ...], line: str, tmp_path: Path) -> None:
    refused(run("convert.c", SHIPPED, "--output", tmp_path / name, *words), line)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_else_stays(tmp_path: Path) -> None:
    other = tmp_path / "digits-arduino/thesis.txt"
    other.parent.mkdir()
    other.write_text("mine")
    refused(run("convert.c", SHIPPED, "--output", tmp_path / "digits.c", *NAMED), "holds something else (thesis.txt)")
    assert [path.name for path in tmp_path.iterdir()] == ["digits-arduino"]


def test_what_no_board_holds_is_refused(tmp_path: Path) -> None:
    import numpy as np

    from convert.c.c_text import Names
    from convert.c.packages import Package, packages
    from convert.c.syntax import Code

    none = np.zeros((1, 1), np.int8)
    package = Package(Names.of("big"), "big", Code("big"), "1.0.0", "MIT", 2**25, 100, none, none)
    with pytest.raises(EdgecnnError, match="too large for microcontrollers"):
        packages(["arduino"], package, tmp_path, b"", b"")


def test_16_bit_chips_get_an_error_in_words(exported: Path, tmp_path: Path) -> None:
    wanted("gcc")
    words = ["gcc", "-E", "-U__INT_MAX__", "-D__INT_MAX__=32767", f"-I{exported}", str(exported / "Digits.c")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs an int of 32 bits" in done.stderr
