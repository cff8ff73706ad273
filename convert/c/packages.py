"""Libraries that IDEs for microcontrollers import, around a network's C: `--package`.

A system is a row of `SYSTEMS`: its files, each of a template of templates/packages. A package is a folder
NAME-SYSTEM and the same as NAME-SYSTEM.zip.
"""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.version import InvalidVersion, Version

from convert.c.c_text import Names
from convert.c.initializers import rows
from convert.c.licenses import license_text
from convert.c.step import Bytes
from convert.c.syntax import Code, rendered
from edgecnn.errors import EdgecnnError

# Paths in a package, and their templates; "source" and "header" are the network's own files, "license" is its text.
_ARDUINO = {
    "src/{stem}.c": "source",
    "src/{stem}.h": "header",
    "examples/Classify/Classify.ino": "classify.ino",
    "examples/Classify/golden.h": "golden.h",
    "examples/Camera/Camera.ino": "camera.ino",
    "README.md": "README.md",
    "LICENSE": "license",
}
SYSTEMS: Mapping[str, Mapping[str, str]] = {
    "arduino": {**_ARDUINO, "library.properties": "library.properties", "keywords.txt": "keywords.txt"},
    "platformio": {**_ARDUINO, "library.json": "library.json"},
    "esp-idf": {
        "{stem}.c": "source",
        "include/{stem}.h": "header",
        "CMakeLists.txt": "esp-idf.cmake",
        "idf_component.yml": "idf_component.yml",
        "examples/classify/CMakeLists.txt": "esp-idf_example.cmake",
        "examples/classify/main/CMakeLists.txt": "esp-idf_main.cmake",
        "examples/classify/main/idf_component.yml": "esp-idf_main.yml",
        "examples/classify/main/main.c": "esp-idf_main.c",
        "examples/classify/main/golden.h": "golden.h",
        "README.md": "README.md",
        "LICENSE": "license",
    },
    "zephyr": {
        "src/{stem}.c": "source",
        "include/{stem}.h": "header",
        "zephyr/module.yml": "module.yml",
        "CMakeLists.txt": "zephyr.cmake",
        "Kconfig": "Kconfig",
        "samples/classify/CMakeLists.txt": "zephyr_sample.cmake",
        "samples/classify/prj.conf": "prj.conf",
        "samples/classify/sample.yaml": "sample.yaml",
        "samples/classify/src/main.c": "zephyr_main.c",
        "samples/classify/src/golden.h": "golden.h",
        "README.md": "README.md",
        "LICENSE": "license",
    },
}
_LEGAL = re.compile("[A-Za-z][A-Za-z0-9_-]{0,46}")  # in all systems, with a system's name behind it
_TAKEN = "arduino"  # what no library of others may begin with
_MOST_FLASH, _MOST_RAM = 16 * 2**20, 8 * 2**20  # bytes, of the largest boards
_YEAR_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the same files give the same bytes


@dataclass(frozen=True)
class Package:
    """What packages say of a network."""

    names: Names
    stem: str
    title: Code
    version: str
    license: str
    flash: int
    ram: int
    inputs: Bytes
    outputs: Bytes


def checked(systems: Sequence[str], stem: str, version: str, license_name: str | None) -> str:
    """The license as SPDX writes it; looked at before anything is written.

    Raises:
        EdgecnnError: there is no such system, no library may have this name or version, or there is no such license.
    """
    if strange := [system for system in systems if system not in SYSTEMS]:
        raise EdgecnnError(f"there is no package for {strange[0]}: choose {', '.join(SYSTEMS)}")
    if not _LEGAL.fullmatch(stem) or stem.lower().startswith(_TAKEN):
        hint = "a letter first, then letters, digits, '_' or '-', 47 at most"
        raise EdgecnnError(f"no library may be called {stem!r}: name the C file with {hint}, not Arduino…")
    try:
        if Version(version).base_version != version or version.count(".") != 2:
            raise InvalidVersion(version)
    except InvalidVersion:
        raise EdgecnnError(f"{version!r} is no version: three numbers, as 1.0.0") from None
    if not license_name:
        raise EdgecnnError("a package needs a license: --license with an SPDX identifier, as Apache-2.0")
    try:
        return str(canonicalize_license_expression(license_name))
    except InvalidLicenseExpression:
        raise EdgecnnError(f"{license_name!r} is no SPDX identifier: spdx.org/licenses lists them") from None


def packages(systems: Sequence[str], package: Package, folder: Path, source: bytes, header: bytes) -> dict[Path, bytes]:
    """The files of packages, by their paths, in FOLDER/NAME-SYSTEM and FOLDER/NAME-SYSTEM.zip.

    Raises:
        EdgecnnError: no board holds the network, or a folder holds something else.
    """
    if package.flash > _MOST_FLASH or package.ram > _MOST_RAM:
        size = f"{package.flash:,} bytes of constants, {package.ram:,} of RAM"
        raise EdgecnnError(f"{package.stem} is too large for microcontrollers: {size}")
    files: dict[Path, bytes] = {}
    for system in dict.fromkeys(systems):
        texts = _texts(system, package, source, header)
        root = folder / f"{package.stem}-{system}"
        _check_free(root, texts)
        files |= {root / path: text for path, text in texts.items()}
        files[root.with_name(f"{root.name}.zip")] = _zip(package.stem, texts)
    return files


def _texts(system: str, package: Package, source: bytes, header: bytes) -> dict[str, bytes]:
    own = {"source": source, "header": header, "license": license_text(package.license).encode()}
    return {
        path.format(stem=package.stem): own[template] if template in own else _rendered(template, package)
        for path, template in SYSTEMS[system].items()
    }


def _rendered(template: str, package: Package) -> bytes:
    names = package.names
    text = rendered(
        f"packages/{template}",
        lower=names.lower,
        upper=names.upper,
        header=names.header,
        stem=Code(package.stem),
        component=Code(package.stem.lower()),
        title=package.title,
        version=Code(package.version),
        license=Code(package.license),
        flash=package.flash,
        ram=package.ram,
        count=len(package.inputs),
        inputs=Code(rows(package.inputs)),
        outputs=Code(rows(package.outputs)),
    )
    return text.encode()


def _check_free(root: Path, texts: Mapping[str, bytes]) -> None:
    """Refuse a folder that holds something else than an earlier package of this name."""
    if root.exists() and not root.is_dir():
        raise EdgecnnError(f"{root} is no folder: move it away")
    strange = [path for path in sorted(root.rglob("*")) if path.is_file() and str(path.relative_to(root)) not in texts]
    if strange:
        raise EdgecnnError(f"{root} holds something else ({strange[0].name}): move it away")


def _zip(name: str, texts: Mapping[str, bytes]) -> bytes:
    """A ZIP with everything in one folder, as the Arduino IDE wants it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in sorted(texts.items()):
            archive.writestr(zipfile.ZipInfo(f"{name}/{path}", _YEAR_OF_ZIP), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
