"""A bundle installs on a device from itself alone, proves itself there, and is refused where it was changed."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import BUNDLED, ROOT, refused, run

from deploy.bundle import packed
from deploy.install import INDEX, InstallError, unpacked
from edgecnn.errors import EdgecnnError
from edgecnn.files import SEAL, sha256, unzip_members, zip_members

Members = dict[str, bytes]

pytestmark = pytest.mark.slow


def on_device(
    bundle: Path, home: Path, *words: object, before: tuple[str, ...] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run a bundle as a user of the device does, with Python's standard library alone."""
    told = [*before, sys.executable, "-I", "-S", bundle, "--to", home, *words]
    return subprocess.run(list(map(str, told)), capture_output=True, text=True, check=False)


def changed(bundle: Path, path: Path, how: Callable[[Members, dict[str, object]], None]) -> Path:
    """A bundle whose members were changed; its seal and the hashes in its index are sound."""
    members = unzip_members(bundle.read_bytes())
    index = json.loads(members.pop(INDEX))
    how(members, index)
    index["files"] = {name: sha256(data) for name, data in sorted(members.items()) if not name.startswith(INDEX)}
    path.write_bytes(zip_members({INDEX: json.dumps(index).encode(), **members}))
    return path


def test_it_installs_without_network_upgrades_rolls_back_and_changes_nothing_twice(
    bundle: Path, tmp_path: Path
) -> None:
    home = tmp_path / "edgecnn"
    offline = ("unshare", "--net") if subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0 else ()
    done = on_device(bundle, home, "--json", before=offline)
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)["current"]
    command = home / "current" / "edgecnn"
    doctor = subprocess.run([command, "doctor", "--json"], capture_output=True, text=True, check=True)
    found = {each["engine"]: each["state"] for each in json.loads(doctor.stdout)["engines"]}
    assert found == {"litert": "works", "tflite": "not installed", "onnx": "not installed"}
    assert not list((home / "current").glob("wheels/*"))

    again = on_device(bundle, home)
    assert again.returncode == 0
    assert "nothing changed" in again.stdout

    def newer(members: Members, index: dict[str, object]) -> None:
        index["version"] = "digits-newer"

    def worse(members: Members, index: dict[str, object]) -> None:
        index["version"] = "digits-worse"
        golden = unzip_members(members["models/golden.npz"])
        name = next(name for name in golden if "litert" in name)
        golden[name] = golden[name][:128] + golden[name][128:][::-1]
        members["models/golden.npz"] = zip_members(golden, compress=True)

    done = on_device(changed(bundle, tmp_path / "newer.bundle", newer), home, "--json")
    assert json.loads(done.stdout)["current"] == "digits-newer", done.stderr
    done = on_device(changed(bundle, tmp_path / "worse.bundle", worse), home)
    assert done.returncode == 1
    assert "digits-worse was not taken into use" in done.stdout
    assert "digits-newer stays" in done.stdout
    assert not (home / "versions" / "digits-worse").exists()
    done = on_device(bundle, home, "--rollback", "--json")
    assert json.loads(done.stdout)["current"] == first
    assert subprocess.run([command, "--version"], check=False).returncode == 0
    assert json.loads(on_device(bundle, home, "--status", "--json").stdout)["previous"] == "digits-newer"


def test_what_was_begun_and_not_ended_is_mended(bundle: Path, tmp_path: Path) -> None:
    home = tmp_path / "edgecnn"
    version = json.loads(unzip_members(bundle.read_bytes())[INDEX])["version"]
    begun = home / "versions" / version / "wheels"
    begun.mkdir(parents=True)
    (begun / "half.whl").write_bytes(b"half")
    assert on_device(bundle, home).returncode == 0
    shutil.rmtree(home / "versions" / version / "env")  # the system's Python was upgraded, say
    done = on_device(bundle, home, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["changed"]


def test_one_flipped_bit_is_refused(bundle: Path, tmp_path: Path) -> None:
    data, path = bytearray(bundle.read_bytes()), tmp_path / "flipped.bundle"
    for place in (0, 1000, len(data) // 3, len(data) // 2, len(data) - SEAL - 30, len(data) - 5):
        flipped = bytearray(data)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(InstallError, match="damaged"):
            unpacked(path, path.read_bytes())
    path.write_bytes(data[: len(data) // 2])
    done = subprocess.run(
        [sys.executable, ROOT / "deploy/install.py", "--bundle", path, "--to", tmp_path / "home"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    refused(done, "is damaged", "copy it again")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "models/../../outside", "models\\outside", "c:outside"])
def test_unpacking_never_leaves_its_folder(bundle: Path, tmp_path: Path, name: str) -> None:
    path = changed(bundle, tmp_path / "bad.bundle", lambda members, _: members.update({name: b"x"}))
    refused(on_device(path, tmp_path / "home"), "leaves its folder")
    path = changed(bundle, path, lambda _, index: index.update(version=name))
    refused(on_device(path, tmp_path / "home"), "no folder's name")
    assert not (tmp_path / "home").exists()


def test_a_file_that_the_index_does_not_list_is_refused(bundle: Path, tmp_path: Path) -> None:
    members = unzip_members(bundle.read_bytes())
    path = tmp_path / "more.bundle"
    path.write_bytes(zip_members(members | {"models/more": b"x"}))
    refused(on_device(path, tmp_path / "home"), "does not hold the files that its index lists")
    path.write_bytes(zip_members(members | {"models/golden.npz": b"x"}))
    refused(on_device(path, tmp_path / "home"), "models/golden.npz is not the file of its index")


def test_a_device_that_asks_for_a_signature_gets_one(bundle: Path, tmp_path: Path) -> None:
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen")
    for name in ("mine", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    home, signed = tmp_path / "home", tmp_path / "signed.bundle"
    home.mkdir()
    (home / "allowed_signers").write_text(f"me@desk {(tmp_path / 'mine.pub').read_text()}")
    refused(on_device(bundle, home), "is not signed", "asks for a signature")
    files = unzip_members(bundle.read_bytes())
    index = json.loads(files.pop(INDEX))
    signed.write_bytes(packed(files, index, tmp_path / "other"))
    refused(on_device(signed, home), "not signed by anyone whom", "allowed_signers")
    signed.write_bytes(packed(files, index, tmp_path / "mine"))

    def tampered(members: Members, index: dict[str, object]) -> None:
        index["version"] = "tampered"

    refused(on_device(changed(signed, tmp_path / "tampered.bundle", tampered), home), "not signed by anyone whom")
    done = on_device(signed, home)
    assert done.returncode == 0, done.stderr


def test_another_device_is_told_what_it_needs(bundle: Path, tmp_path: Path) -> None:
    def other(members: Members, index: dict[str, object]) -> None:
        index["device"] = {"python": "3.13", "machine": "aarch64"}

    path = changed(bundle, tmp_path / "other.bundle", other)
    refused(on_device(path, tmp_path / "home"), "is for Python 3.13 on aarch64", "--target")

    def large(members: Members, index: dict[str, object]) -> None:
        index["unpacked"] = 10**15

    refused(on_device(changed(bundle, path, large), tmp_path / "home"), "MB left", "make room")
    refused(on_device(bundle, tmp_path / "home", "--rollback"), "no version before this one")
    assert not (tmp_path / "home").exists()


def test_mistakes_on_the_workstation_are_told(trained: Path, tmp_path: Path) -> None:
    words = ("deploy.bundle", "--target", BUNDLED)
    refused(run(*words, tmp_path / "none.tflite"), "none.tflite cannot be read")
    refused(run(*words, trained / "model_int8.tflite", tmp_path / "m.tflite"), "lie in one folder")
    refused(run(*words, trained / "model_int8.tflite", "--images", 2), "--images is 2")
    with pytest.raises(EdgecnnError, match="there is no such key"):
        packed({}, {"name": "digits"}, tmp_path / "none")
    thirty_two = ("deploy.bundle", trained / "model_int8.onnx", "--target", "pi4-32-bookworm")
    refused(run(*thirty_two), "no engine for .onnx has wheels for this target")
    refused(run("deploy.fleet", tmp_path / "none.py", "--bundle", tmp_path / "none.bundle"), "none.bundle")
    refused(run("deploy.fleet", tmp_path / "none.py"), "--bundle is missing")
    refused(run("deploy.fleet", tmp_path / "none.py", "--steps", "check"), "none.py does not exist")
