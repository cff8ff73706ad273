"""A bundle installs on a device without anything else, is checked there, and is refused if it was changed."""

import io
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import BUNDLED, ROOT, refused, run
from packaging.requirements import Requirement
from PIL import Image
from serving import serving
from test_adopt import stripped

from deploy import building, disk, versions
from deploy import bundle as bundle_command
from deploy.bundle_contents import EXTRAS
from deploy.bundlefile import open_bundle
from deploy.index import INDEX, InstallError
from deploy.packing import packed
from deploy.wheels import locked
from edgecnn import PICTURE, SHIPPED
from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256
from edgecnn.seal import SEAL, seal, unzip_members, zip_members
from workstation.boards import TARGETS

Members = dict[str, bytes]

pytestmark = pytest.mark.slow


def on_device(
    bundle: Path, home: Path, *words: object, before: tuple[str, ...] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run a bundle as a user of the device does, with Python's standard library alone."""
    command = [*before, sys.executable, "-I", "-S", bundle, "--to", home, *words]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


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
    home = tmp_path / 'it\'s $HOME of "edgecnn"'
    offline = ("unshare", "--net") if subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0 else ()
    done = on_device(bundle, home, "--json", before=offline)
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)["current"]
    command = home / "current" / "edgecnn"
    doctor = subprocess.run([command, "doctor", "--json"], capture_output=True, text=True, check=True)
    states = {engine["engine"]: engine["state"] for engine in json.loads(doctor.stdout)["engines"]}
    assert states == {"litert": "works", "tflite": "not installed", "onnx": "not installed"}
    assert not list((home / "current").glob("wheels/*"))
    (tmp_path / "numpy.py").write_text("print('not numpy')")
    classify = [command, "classify", "--json"]  # the picture beside the bundle's own model; Pillow reads it
    done = subprocess.run(classify, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    assert (answer["label"], Path(answer["image"]).parent) == ("3", (home / "current/models").resolve())
    info = subprocess.run([command, "info", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(json.loads(info.stdout)["file"]) == (home / "current/models/model_int8.tflite").resolve()
    with serving(tmp_path, program=[command]) as server:
        assert server.post("classify", (home / "current/models" / PICTURE).read_bytes()).json()["label"] == "3"
    pip = [home / "current/env/bin/python", "-I", "-m", "pip", "--version"]
    assert subprocess.run(pip, check=False, capture_output=True).returncode == 0

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
    assert "digits-worse is not put into use" in done.stdout
    assert "digits-newer stays" in done.stdout
    assert not (home / "versions" / "digits-worse").exists()
    done = on_device(bundle, home, "--rollback", "--json")
    assert json.loads(done.stdout)["current"] == first
    assert subprocess.run([command, "--version"], check=False).returncode == 0
    assert json.loads(on_device(bundle, home, "--status", "--json").stdout)["previous"] == "digits-newer"


def stand_in(home: Path, name: str) -> Path:
    """A version that was installed before, and does nothing but start."""
    folder = home / "versions" / name
    folder.mkdir(parents=True)
    (folder / "edgecnn").write_text("#!/bin/sh\n")
    (folder / "edgecnn").chmod(0o755)
    (folder / "complete").touch()
    return folder


def test_a_version_that_no_longer_starts_is_built_again_and_nothing_is_lost_meanwhile(
    bundle: Path, tmp_path: Path
) -> None:
    home = tmp_path / "edgecnn"
    version = json.loads(unzip_members(bundle.read_bytes())[INDEX])["version"]
    stand_in(home, "before")
    shutil.rmtree(stand_in(home, version) / "edgecnn", ignore_errors=True)
    (home / "versions" / version / "edgecnn").write_text("#!/bin/sh\nexit 127")  # the system's Python was upgraded, say
    half = home / "versions" / "half" / "wheels"
    half.mkdir(parents=True)
    (half / "half.whl").write_bytes(b"half")
    for link, name in (("current", version), ("previous", "before")):
        (home / link).symlink_to(f"versions/{name}")
    assert json.loads(on_device(bundle, home, "--status", "--json").stdout) == {
        "current": version, "previous": "before", "works": False,
        "said": f"current {version} (which does not start), previous before",
    }  # fmt: skip

    def no_pip(members: Members, index: dict[str, object]) -> None:
        members["wheels/requirements.txt"] += b"nothing==1 --hash=sha256:" + b"0" * 64

    broken = changed(bundle, tmp_path / "broken.bundle", no_pip)
    refused(on_device(broken, home), "pip could not install the wheels", "nothing==1")
    assert sorted(path.name for path in (home / "versions").iterdir()) == sorted(["before", version])

    done = on_device(bundle, home, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["changed"], report["current"], report["previous"]) == (True, version, "before")
    assert subprocess.run([home / "current/edgecnn", "--version"], check=False).returncode == 0
    assert not (home / "versions" / version).exists()
    assert "nothing changed" in on_device(bundle, home).stdout
    (home / "versions/before/edgecnn").unlink()
    refused(on_device(bundle, home, "--rollback"), "before no longer starts", "install its bundle again")
    assert subprocess.run([home / "current/edgecnn", "--version"], check=False).returncode == 0


def test_two_at_once_wait_for_each_other_and_one_that_ends_early_leaves_nothing(bundle: Path, tmp_path: Path) -> None:
    home = tmp_path / "edgecnn"
    words = [sys.executable, "-I", "-S", str(bundle), "--to", str(home), "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ended:
        while not list(home.glob("versions/*/pip.log")):  # pip is at work
            assert ended.poll() is None
            time.sleep(0.01)
        ended.send_signal(signal.SIGTERM)
        _, errors = ended.communicate(timeout=60)
    assert (ended.returncode, "interrupted" in errors, list((home / "versions").iterdir())) == (2, True, [])
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted(json.loads(out)["changed"] for out, _ in outputs) == [False, True]
    assert ["waiting for it" in errors for _, errors in outputs].count(True) == 1


def test_a_version_is_on_the_disk_before_it_counts_as_whole(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut, the mark `complete` is on the disk only if all files are."""
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def built(folder: Path, bundle: object, *_: object) -> None:
        (folder / "models").mkdir(parents=True)
        (folder / "models/model.tflite").write_bytes(b"model")

    monkeypatch.setattr(disk.os, "fsync", noted)
    monkeypatch.setattr(building, "_build", built)
    monkeypatch.setattr(building, "failed_checks", lambda *_: [])
    home = tmp_path / "edgecnn"
    folder, _ = building.build(open_bundle(bundle), home, None)
    versions.put_into_use(home, folder)
    names = [os.path.relpath(path, folder) for path in synced]
    mark = names.index(".complete.new")
    assert {".", "models", "models/model.tflite", ".."} <= set(names[:mark])
    assert (names[mark + 1], Path(synced[-1])) == (".", home)


def test_one_flipped_bit_is_refused(bundle: Path, tmp_path: Path) -> None:
    data, path = bytearray(bundle.read_bytes()), tmp_path / "flipped.bundle"
    for place in (0, 1000, len(data) // 3, len(data) // 2, len(data) - SEAL - 30, len(data) - 5):
        flipped = bytearray(data)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(InstallError, match="damaged"):
            open_bundle(path)
    path.write_bytes(data[: len(data) // 2])
    done = subprocess.run(
        [sys.executable, "-m", "deploy.install", "--bundle", path, "--to", tmp_path / "home"],
        cwd=ROOT, capture_output=True, text=True, check=False,
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


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "digits\n"}, {"version": "d" * 101}, {"version": 1}, {"unpacked": -1}, {"unpacked": True},
        {"unpacked": 1e3}, {"unpacked": 10**4000}, {"files": []}, {"models": []}, {"models": "model_int8.tflite"},
        {"models": ["../golden.npz"]}, {"models": [["model_int8.tflite"]]}, {"models": ["model_int8.tflite"] * 2},
        {"device": {"python": "3.11"}}, {"device": {"python": "3.11", "machine": "x\x1b[2J"}}, {"device": None},
        {"device": {"python": "3.11", "machine": ["x86_64"]}}, {"engines": [1]}, {"offline": 1}, {"schema": "1"},
        {"needs": {"os; import this": "x"}}, {"needs": {"numpy": 3}}, {"made": -1}, {"made": "now"}, {"more": 1},
        {"expires": "tomorrow"}, {"expires": 20300101},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_index_is_refused(bundle: Path, tmp_path: Path, wrong: dict[str, object]) -> None:
    members = unzip_members(bundle.read_bytes())
    small = {name: data for name, data in members.items() if name.startswith("models/model")}
    index = json.loads(members[INDEX]) | {"files": {name: sha256(data) for name, data in small.items()}} | wrong
    path = tmp_path / "wrong.bundle"
    path.write_bytes(zip_members({INDEX: json.dumps(index).encode(), **small}))
    with pytest.raises(InstallError) as refusal:
        open_bundle(path)
    assert str(path) in str(refusal.value)


def entry(name: str, method: int = zipfile.ZIP_STORED, mode: int = 0o600) -> zipfile.ZipInfo:
    """A member as a ZIP's directory describes it."""
    info = zipfile.ZipInfo(name)
    info.compress_type, info.external_attr = method, mode << 16
    return info


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_is_no_bundle_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    index = b"[" * 200_000
    archives: list[tuple[str, list[tuple[zipfile.ZipInfo, bytes]]]] = [
        ("'models/m' is not stored as", [(entry("models/m", zipfile.ZIP_DEFLATED), bytes(100_000_000))]),
        ("'models/m' is not stored as", [(entry("models/m", mode=stat.S_IFLNK | 0o777), b"/etc/passwd")]),
        ("members overlap", [(entry("models/m"), b"a"), (entry("models/m"), b"b")]),
        ("its directory", [(entry(f"models/{number}"), b"") for number in range(1001)]),
        ("its index cannot be read", [(entry(INDEX), index)]),
        ("index.json is too long", [(entry(INDEX), b"1" * 1_000_001)]),
        ("no item named", []),
    ]
    path = tmp_path / "bad.bundle"
    for reason, members in archives:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for info, data in members:
                archive.writestr(info, data)
            archive.comment = b"0" * SEAL
        path.write_bytes(seal(buffer.getvalue()[:-SEAL]))
        with pytest.raises(InstallError, match=f"no bundle of edgecnn.*{reason}"):
            open_bundle(path)
    for size in (0, 10, SEAL, 1000):
        path.write_bytes(seal(bytes(size)) if size else b"")
        with pytest.raises(InstallError):
            open_bundle(path)
    os.mkfifo(tmp_path / "pipe")
    for endless in (tmp_path / "pipe", Path("/dev/zero"), tmp_path, tmp_path / "none"):
        with pytest.raises(InstallError):
            open_bundle(endless)


def test_wrong_bytes_under_a_valid_seal_are_refused(tmp_path: Path) -> None:
    """In the directory, the heads of members or the index: the error is one line, or the bundle is still sound."""
    files = {"models/model.tflite": b"m" * 100, "wheels/requirements.txt": b"r"}
    index = {
        "schema": 1, "name": "m", "version": "m-1", "target": BUNDLED, "engines": [], "models": ["model.tflite"],
        "device": {"python": "3.11", "machine": "x86_64"}, "offline": True, "system_site_packages": False,
        "unpacked": 1, "files": {name: sha256(data) for name, data in files.items()},
    }  # fmt: skip
    path, good = tmp_path / "wrong.bundle", zip_members({INDEX: json.dumps(index).encode(), **files})[:-SEAL]
    path.write_bytes(seal(good))
    assert open_bundle(path).version == "m-1"
    chance, refusals = random.Random(1), 0
    for _ in range(500):
        wrong = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            wrong[chance.randrange(chance.choice([0, len(wrong) - 400]), len(wrong))] = chance.choice([0, 34, 91, 255])
        path.write_bytes(seal(bytes(wrong)))
        try:
            open_bundle(path)
        except InstallError:
            refusals += 1
    assert refusals > 400


def keys(folder: Path, *names: str) -> None:
    """SSH keys, new ones."""
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen")
    for name in names:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)


def test_a_device_that_requires_a_signature_accepts_none_older_than_the_last(bundle: Path, tmp_path: Path) -> None:
    keys(tmp_path, "mine", "other")
    home, path = tmp_path / "home", tmp_path / "signed.bundle"
    home.mkdir()
    (home / "allowed_signers").write_text(f"me@desk {(tmp_path / 'mine.pub').read_text()}")
    refused(on_device(bundle, home), "is not signed", "asks for a signature")
    files = unzip_members(bundle.read_bytes())
    index = json.loads(files.pop(INDEX))

    def signed(key: str = "mine", **more: object) -> Path:
        path.write_bytes(packed(files, index | more, tmp_path / key))
        return path

    refused(on_device(signed("other"), home), "not signed by anyone whom", "allowed_signers")

    def tampered(members: Members, index: dict[str, object]) -> None:
        index["version"] = "tampered"

    refused(on_device(changed(signed(), tmp_path / "tampered.bundle", tampered), home), "not signed by anyone whom")
    refused(on_device(signed(expires="2020-01-02"), home), "expired on 2020-01-02", "make it anew")
    done = on_device(signed(made=1_800_000_000), home, "--json")
    assert done.returncode == 0, done.stderr

    # Another version from now on: the same files would be in use already.
    index["target"] = "pi5-bookworm"
    refused(on_device(signed(made=1_700_000_000), home), "was made 2023-11-14", "2027-01-15", "--allow-downgrade")
    refused(on_device(signed(), home), "was made 1970-01-01")

    # A bundle's own program may do anything; the installed one checks the bundle before anything in it runs.
    def evil(members: Members, index: dict[str, object]) -> None:
        members["__main__.py"] = f"open({str(tmp_path / 'ran')!r}, 'w').close()".encode()

    bad = changed(signed(made=1_900_000_000), tmp_path / "evil.bundle", evil)
    installed = subprocess.run(
        [home / "current/install", "--bundle", bad], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    refused(installed, "not signed by anyone whom")
    assert not (tmp_path / "ran").exists()
    assert on_device(bad, home).returncode == 0
    assert (tmp_path / "ran").exists()

    words = [home / "current/install", "--bundle", signed(made=1_700_000_000), "--allow-downgrade", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["changed"], done.stderr
    assert (home / "floor").read_text() == "1700000000"
    (home / "allowed_signers").unlink()
    (home / "allowed_signers").symlink_to(tmp_path / "gone")
    refused(on_device(bundle, home), "is not signed")


def test_a_signed_bundle_says_when_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command itself, with a small file in place of the models and wheels."""
    keys(tmp_path, "mine")
    (tmp_path / "signers").write_text(f"me@desk {(tmp_path / 'mine.pub').read_text()}")
    model = Path(shutil.copy(SHIPPED, tmp_path))
    index = {
        "schema": 1, "engines": [], "models": [model.name], "device": {"python": "3.11", "machine": "x86_64"},
        "offline": True, "system_site_packages": False, "unpacked": 1, "labelled": True,
    }  # fmt: skip
    monkeypatch.setattr(bundle_command, "contents", lambda *_: ({f"models/{model.name}": b"model"}, dict(index)))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    path = tmp_path / "signed.bundle"
    words = [str(model), "--target", BUNDLED, "--output", str(path)]
    assert bundle_command.main([*words, "--sign", str(tmp_path / "mine"), "--expires", "2027-06-30"]) == 0
    signed = open_bundle(path, tmp_path / "signers")
    assert (signed.signed, signed.index["made"], signed.index["expires"]) == (True, 1_800_000_000, "2027-06-30")
    assert bundle_command.main(words) == 0
    unsigned = open_bundle(path)
    assert "made" not in unsigned.index
    assert unsigned.version == signed.version  # the same files are the same version, whenever they were packed


def test_another_device_refuses_it_and_names_what_it_needs(bundle: Path, tmp_path: Path) -> None:
    def other(members: Members, index: dict[str, object]) -> None:
        index["device"] = {"python": "3.13", "machine": "aarch64"}

    path = changed(bundle, tmp_path / "other.bundle", other)
    refused(on_device(path, tmp_path / "home"), "is for Python 3.13 on aarch64", "--target")

    def large(members: Members, index: dict[str, object]) -> None:
        index["unpacked"] = 10**15

    refused(on_device(changed(bundle, path, large), tmp_path / "home"), "MB left", "make room")
    refused(on_device(bundle, tmp_path / "home", "--rollback"), "no version before this one")
    assert not (tmp_path / "home").exists()


def test_an_adopted_model_with_images_alone_goes_into_a_bundle_and_runs_there(trained: Path, tmp_path: Path) -> None:
    path = stripped(trained / "model_int8.tflite", tmp_path / "digits.tflite")
    done = run("convert.adopt", path, "--labels", "0,1,2,3,4,5,6,7,8,9", "--normalization", "unit")
    assert done.returncode == 0, done.stderr
    words = (
        "deploy.bundle", tmp_path / "digits_edgecnn.tflite", "--target", BUNDLED, "--output", tmp_path / "a.bundle",
    )  # fmt: skip
    refused(run(*words), "evaluation.npz is missing", "numpy.savez")
    known = np.load(trained / "evaluation.npz")
    np.savez(tmp_path / "evaluation.npz", images=known["images"][:40])
    np.savez(tmp_path / "validation.npz", images=known["images"][40:90], labels=known["labels"][40:90])
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert "no labels" in done.stdout
    adopted = open_bundle(tmp_path / "a.bundle")
    adopted.extract(tmp_path / "device")
    (tmp_path / "device/edgecnn").write_text(f'#!/bin/sh\nexec {sys.executable} -m edgecnn "$@"\n')
    (tmp_path / "device/edgecnn").chmod(0o755)
    assert building.failed_checks(tmp_path / "device", adopted.index) == []
    models = tmp_path / "device/models"
    assert Image.open(models / PICTURE).size == (28, 28)  # without a frame, the first that is to be evaluated
    for words in (
        ("tune", models, "--threads", "1"),
        ("classify", "--model", models),
    ):
        done = run("edgecnn", *words, "--json")
        assert done.returncode == 0, done.stderr


def test_every_target_has_what_a_bundle_may_hold() -> None:
    extras = tomllib.loads((ROOT / "runtime/pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        assert {*packages, "pillow"} == {Requirement(needed).name for needed in extras[extra]} | {"pillow"}
    added = {package for packages in EXTRAS.values() for package in packages}
    for system in TARGETS.values():
        assert {"numpy", "pillow", *added} <= {*locked(system.name), *system.provided}


def test_mistakes_on_the_workstation_get_a_line(trained: Path, tmp_path: Path) -> None:
    words = ("deploy.bundle", "--target", BUNDLED)
    refused(run(*words, tmp_path / "none.tflite"), "none.tflite cannot be read")
    refused(run(*words, trained / "model_int8.tflite", tmp_path / "m.tflite"), "lie in one folder")
    refused(run(*words, trained / "model_int8.tflite", "--images", 2), "--images", "from 16")
    refused(run(*words, trained / "model_int8.tflite", "--expires", "tomorrow"), "'tomorrow' is not a day")
    with pytest.raises(EdgecnnError, match="there is no such key"):
        packed({}, {"name": "digits"}, tmp_path / "none")
    thirty_two = ("deploy.bundle", trained / "model_int8.onnx", "--target", "pi4-32-bookworm")
    refused(run(*thirty_two), "no engine for .onnx has wheels for this target")
    (trained_again := tmp_path / "-o.tflite").write_bytes((trained / "model_int8.tflite").read_bytes())
    refused(run("deploy.bundle", "--target", BUNDLED, "--", trained_again), "is no name for a model in a bundle")
    refused(run("deploy.fleet", tmp_path / "none.py", "--bundle", tmp_path / "none.bundle"), "none.bundle")
    refused(run("deploy.fleet", tmp_path / "none.py"), "--bundle is missing")
    refused(run("deploy.fleet", tmp_path / "none.py", "--steps", "check"), "none.py does not exist")
