"""C gives what TFLite's reference kernels give, for every layer and kernel; else one line says why not."""

import ctypes
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import c_builder
import numpy as np
import pytest
from conftest import ROOT, Once, refused, run

from edgecnn import Classifier
from edgecnn.dataset_reading import read_dataset
from edgecnn.files import sha256
from edgecnn.manifest import Input, Manifest, Rejection
from edgecnn.modelfile import MEMBER, pack_model, read_model
from edgecnn.native_description import target
from edgecnn.selection import choose
from workstation.compiler import COMPILER

HERE = target()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(HERE not in ("linux-x86_64", "linux-aarch64"), reason=f"libraries for {HERE} are not built"),
]
POOL = ("-D_POSIX_C_SOURCE=200809L", "-DEDGECNN_POOL", "-pthread")  # golden tests run with one to five threads
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1")
MANY = 20  # sources of a program


@pytest.fixture(scope="session")
def exported(trained: Path, once: Once) -> Path:
    """C of the plain conversion, which is written too, with libraries for this machine and for a Raspberry Pi."""

    def fill(folder: Path) -> None:
        for name in ("model.keras", "calibration.npz", "validation.npz", "evaluation.npz"):
            shutil.copy(trained / name, folder)
        done = run("convert.c", folder / "model.keras", "--build", "host", "linux-armv7", "--json")
        assert done.returncode == 0, done.stderr
        facts = json.loads(done.stdout)
        assert facts["golden"].startswith("all ")
        assert facts["arena"] < 16_000
        assert facts["model"] == str(folder / "model.keras")
        assert all(Path(file).exists() for file in facts["written"])
        (entry,) = json.loads((folder / "models.json").read_text())["models"]
        assert (entry["file"], entry["verdict"]) == ("model_int8.tflite", "PASS")
        assert entry["sha256"] == sha256((folder / "model_int8.tflite").read_bytes())

    return once("c", fill)


@pytest.fixture
def own(exported: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(exported, tmp_path / "own"))


def c_compiler() -> list[str]:
    """The compiler that every environment of ours has."""
    return list(COMPILER)


def compiled(folder: Path, output: Path, sources: list[Path], *more: str, compiler: list[str] | None = None) -> None:
    """Compile a program; of many sources, the headers that take longest once for all."""
    words = [*(compiler or c_compiler()), "-std=c11", "-ffp-contract=off", *more, f"-I{folder}"]
    if len(sources) > MANY:
        words += header_once(output, words)
    run_compiler(*words, "-o", output, *sources)


def header_once(output: Path, words: list[str]) -> list[str]:
    """Options that bring the headers of a CPU's instructions, compiled beforehand: they take longest."""
    header = output.with_name(f"{output.name}_instructions.h")
    header.write_text(
        "#if defined __x86_64__\n#include <immintrin.h>\n#elif defined __ARM_NEON\n#include <arm_neon.h>\n#endif\n"
    )
    run_compiler(*words, "-x", "c-header", header, "-o", f"{header}.gch")
    return ["-include", str(header)]


def run_compiler(*words: object) -> None:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_engine_native_answers_as_others_do(exported: Path) -> None:
    """Golden inputs are equal bit for bit; LiteRT's faster kernels round a little otherwise."""
    model = exported / "model_int8.tflite"
    data = read_dataset(exported / "evaluation.npz", read_model(model).manifest)
    with Classifier(model, "native") as native, Classifier(model, "litert") as litert:
        pairs = zip(native.predict_batch(data.images), litert.predict_batch(data.images), strict=True)
        assert sum(one.index != other.index for one, other in pairs) <= 1
        assert native.output_step == litert.output_step
    done = run("edgecnn", "check", model, exported / "evaluation.npz", "--engine", "native", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "PASS"


def test_c_says_unknown_as_the_classifier_does(own: Path) -> None:
    """A threshold in the model's manifest: the library's function, the program, and the engine `native` agree."""
    model = read_model(own / "model_int8.tflite")
    manifest = replace(model.manifest, rejection=Rejection(0.99, 0.95, 1.5, 1e-4))
    payload = model.data[: model.data.rindex(b"PK\x03\x04", 0, model.data.index(MEMBER.encode()))]
    model.path.write_bytes(pack_model(payload, manifest))
    done = run("convert.c", model.path, "--build", "host")
    assert done.returncode == 0, done.stderr
    library = ctypes.CDLL(str(own / f"model_int8-{HERE}.so"))
    data = read_dataset(own / "evaluation.npz", manifest)
    known, output = [], np.zeros(len(manifest.labels), np.int8)
    with Classifier(model.path, "native") as classifier:
        for image in data.images:
            prediction, pixels = classifier.predict(image), np.ascontiguousarray(image)
            best = library.model_int8_predict(ctypes.c_void_p(pixels.ctypes.data), ctypes.c_void_p(output.ctypes.data))
            assert best == prediction.index
            known.append(bool(library.model_int8_is_known(ctypes.c_void_p(output.ctypes.data))))
            assert known[-1] == prediction.is_known
    assert 0.1 < np.mean(known) < 1
    height, width, _ = manifest.input.shape
    for place in (known.index(True), known.index(False)):
        picture = own / "picture.pgm"
        picture.write_bytes(f"P5 {width} {height} 255\n".encode() + data.images[place].tobytes())
        printed = subprocess.run(
            [own / f"model_int8-{HERE}", picture], capture_output=True, text=True, check=True
        ).stdout
        assert printed.endswith(": unknown\n") != known[place]


def test_convert_makes_c_too_where_it_is_named(own: Path, tmp_path: Path) -> None:
    """Of the plain conversion: the same C as `python -m convert.c` writes."""
    done = run("convert", own / "model.keras", "--variants", "c:int8", "--output", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)
    assert (entry["file"], entry["verdict"]) == ("model_int8.c", "PASS")
    assert (tmp_path / "out/model_int8.c").read_bytes() == (own / "model_int8.c").read_bytes()


def test_threads_have_arenas_of_their_own(exported: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (400, 28, 28, 1), np.uint8)
    images = images[:, : read_model(exported / "model_int8.tflite").manifest.input.shape[0]]
    images = np.ascontiguousarray(images[:, :, : images.shape[1]])
    with Classifier(exported / "model_int8.tflite", "native") as classifier:
        alone = [prediction.index for prediction in classifier.predict_batch(images)]
        assert [prediction.index for prediction in classifier.predict_batch(images, workers=4)] == alone


def test_auto_never_takes_a_library_and_tune_may(own: Path) -> None:
    with Classifier(own / "model_int8.tflite") as classifier:
        assert classifier.engine != "native"
    done = run("edgecnn", "tune", own, "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert "native" in {row["engine"] for row in json.loads(done.stdout)["candidates"] if "p50_us" in row}
    selection = json.loads((own / "selection.json").read_text())
    selection["winner"] = {"model": "model_int8.tflite", "engine": "native", "threads": 1}
    (own / "selection.json").write_text(json.dumps(selection))
    assert choose(own, "auto", None) == (own / "model_int8.tflite", "native", 1)
    (own / "model_int8.native.json").unlink()
    with pytest.warns(UserWarning, match="models changed"):
        assert choose(own, "auto", None)[1] == "auto"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def change(folder: Path, edit) -> None:
    path = folder / "model_int8.native.json"
    description = json.loads(path.read_text())
    edit(description)
    path.write_text(json.dumps(description))


def other_cpu(folder: Path) -> None:
    change(folder, lambda description: description["libraries"].update({HERE: description["libraries"]["linux-armv7"]}))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: flip(folder / f"model_int8-{HERE}.so"), "is not the library that model_int8.native.json"),
        (lambda folder: change(folder, lambda description: description["libraries"].pop(HERE)), f"none for {HERE}"),
        (
            lambda folder: change(folder, lambda description: description.update(weights_sha256="0")),
            "belongs to another model",
        ),
        (lambda folder: (folder / "model_int8.native.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "model_int8.native.json").unlink(), "python -m convert.c --build"),
        (other_cpu, "cannot be loaded here"),
    ],
    ids=["damaged", "not for this CPU", "other weights", "no JSON", "no description", "built for another CPU"],
)
def test_a_library_that_does_not_fit_is_refused_in_a_line(own: Path, spoil, words: str) -> None:
    spoil(own)
    refused(run("edgecnn", "check", own / "model_int8.tflite", own / "evaluation.npz", "--engine", "native"), words)


def test_a_library_gives_the_same_with_two_threads(exported: Path) -> None:
    model = exported / "model_int8.tflite"
    with Classifier(model, "native") as one:
        shape = (20, *one.manifest.input.shape)
        images = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
        expected = [one.predict(image).probabilities.tolist() for image in images]
    with Classifier(model, "native", 2) as two:
        assert [two.predict(image).probabilities.tolist() for image in images] == expected


def test_bad_input_gets_a_line_and_no_file(once: Once, trained: Path, tmp_path: Path) -> None:
    from test_any_model import converted

    output = ("--output", tmp_path / "out.c")
    refused(run("convert.c", converted(once, "ds_cnn") / "model_float32.tflite", *output), "is not full int8")
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes((trained / "model_int8.tflite").read_bytes()[:-9000])
    refused(run("convert.c", damaged, *output), "damaged.tflite")
    refused(run("convert.c", trained / "model_int8.tflite", *output, "--build", "amiga"), "no target amiga")
    refused(run("convert.c", trained / "model_int8.tflite", "--output", tmp_path / "out.cpp"), "does not end in .c")
    strange = tmp_path / "strange.tflite"
    network = (
        c_builder.Builder((1, 4, 4, 1), 0.1, 0).op("TILE", [0, 0], (1, 16), 0.1, 0).op("ABS", [1], (1, 16), 0.1, 0)
    )
    manifest = Manifest("strange", "tflite", tuple("abcdefghijklmnop"), Input((4, 4, 1), (1.0,), (0.0,)), "0" * 64)
    strange.write_bytes(pack_model(network.flatbuffer(), manifest))
    refused(run("convert.c", strange, *output), "not written for: ABS, TILE")
    left = {file.name for file in tmp_path.iterdir()}
    assert not [name for name in left if name.startswith("out")], left


def test_a_model_of_any_name_and_an_open_batch(trained: Path, tmp_path: Path) -> None:
    """What is inside decides; the program can be run, and the model lies where `native` looks for it."""
    model, output = tmp_path / "model.bin", tmp_path / "firmware/model.v2.c"
    done = run("convert.tflite", trained / "model.keras", "--batch", "dynamic", "--output", model)
    assert done.returncode == 0, done.stderr
    done = run("convert.c", model, "--output", output, "--build", "host")
    assert done.returncode == 0, done.stderr
    head = f"{model} -> {output} and {output.with_suffix('.tflite')}\n"
    assert done.stdout.startswith(head)
    assert "give what TFLite's reference kernels give" in done.stdout
    subprocess.run([output.with_name(f"model.v2-{HERE}"), "--bench"], capture_output=True, check=True)
    with Classifier(output.with_suffix(".tflite"), "native") as classifier:
        classifier.predict(np.zeros(classifier.manifest.input.shape, np.uint8))
    keras = shutil.copy(trained / "model.keras", tmp_path / "model.tflite")
    refused(run("convert.c", keras, "--output", output), "calibration")  # it is read as what it is


def test_the_program_reads_a_picture(exported: Path, tmp_path: Path) -> None:
    program = exported / f"model_int8-{HERE}"
    data = read_dataset(exported / "evaluation.npz", read_model(exported / "model.keras").manifest)
    height, width, _ = data.images[0].shape
    picture = tmp_path / "digit.pgm"
    picture.write_bytes(b"P5\n# a comment\n%d %d\n255\n" % (width, height) + data.images[0].tobytes())
    with Classifier(exported / "model_int8.tflite", "native") as classifier:
        label = classifier.predict(data.images[0]).label
    done = subprocess.run([program, picture], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{picture}: {label}\n")
    assert "p50" in subprocess.run([program, "--bench"], capture_output=True, text=True, check=True).stdout
    for spoiled in (b"P2\n1 1\n255\n0", b"P5\n3 3\n255\n" + bytes(9), picture.read_bytes()[:-1]):
        (tmp_path / "bad.pgm").write_bytes(spoiled)
        done = subprocess.run([program, tmp_path / "bad.pgm"], capture_output=True, text=True, check=False)
        assert done.returncode == 2, spoiled[:20]
        assert done.stderr.startswith("error: ")


def test_sources_are_plain_c11_and_need_memcpy_alone(exported: Path, tmp_path: Path) -> None:
    """Without warnings; freestanding code calls memcpy, and the compiler's own arithmetic."""
    strict = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
    bare = ("-target", "riscv64-freestanding", "-ffreestanding", "-Os", "-nostdlib", "-fno-sanitize=all")
    program = tmp_path / "bare.c"
    program.write_text(
        '#include "model_int8.h"\n#include <stddef.h>\n'
        "void *memcpy(void *restrict to, const void *restrict from, size_t size) {\n"
        "    for (size_t i = 0; i < size; i++) ((volatile char *)to)[i] = ((const char *)from)[i];\n    return to;\n}\n"
        "void _start(void) { static uint8_t pixels[MODEL_INT8_INPUT_SIZE]; model_int8_classify(pixels); }\n"
    )
    compiled(exported, tmp_path / "bare", [exported / "model_int8.c", program], *bare, *strict)
    compiled(exported, tmp_path / "t", [exported / "model_int8.c", exported / "model_int8_test.c"], *strict)
    assert subprocess.run([tmp_path / "t"], check=False).returncode == 0


def test_no_sanitizer_complains(exported: Path, tmp_path: Path) -> None:
    """AddressSanitizer and UndefinedBehaviorSanitizer, with the CPU's own kernels and the portable ones."""
    compiler = shutil.which("gcc")
    if not compiler:
        pytest.skip("gcc is not here: its sanitizers are wanted")
    sources = [exported / "model_int8.c", exported / "model_int8_test.c"]
    for more in ((), ("-DEDGECNN_ONLY=portable",)):
        compiled(exported, tmp_path / "t", sources, *SANITIZE, "-O1", *more, compiler=[compiler])
        done = subprocess.run([tmp_path / "t"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def cpu_kernels() -> list[str]:
    """The kernels that this CPU can run, the fastest first."""
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    wanted = {
        "avx512vnni": "avx512_vnni",
        "avxvnni": "avx_vnni",
        "avx2": "avx2",
        "neon_i8mm": "i8mm",
        "neon_dot": "asimddp",
        "neon": "asimd",
    }
    return [*(kernels for kernels, flag in wanted.items() if flag in flags), "portable"]


def c_networks(once: Once, trained: Path) -> Path:
    """The folder of C with golden tests for every layer of random networks, and of the model trained on digits."""

    def fill(folder: Path) -> None:
        done = run(ROOT / "tests/c_networks.py", folder, 3, trained / "model_int8.tflite")
        assert done.returncode == 0, done.stderr[-3000:]

    return once("c_networks", fill)


def test_every_layer_of_random_networks(once: Once, trained: Path, tmp_path: Path) -> None:
    """Each equals TFLite's reference kernels bit for bit; one set of kernels under sanitizers."""
    folder = c_networks(once, trained)
    compiler = shutil.which("gcc")
    for kernels in cpu_kernels():
        more = (f"-DEDGECNN_ONLY={kernels}", "-DEDGECNN_NO_STDIO", "-O1", "-w", *POOL)
        checked = SANITIZE if compiler and kernels == cpu_kernels()[0] else ()
        sources = sorted(folder.glob("*.c"))
        compiled(folder, tmp_path / "all", sources, *more, *checked, compiler=[compiler] if compiler else None)
        done = subprocess.run([tmp_path / "all"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (kernels, done.stdout[-2000:], done.stderr[-2000:])
        print(kernels, done.stdout.strip())


@pytest.mark.parametrize("name", ["resnet8", "ds_cnn", "mobilenet", "nested"])
def test_networks_of_others(once: Once, tmp_path: Path, name: str) -> None:
    """Compile what was converted, and compare on golden inputs."""
    from test_any_model import converted

    folder = converted(once, name)
    sources = [folder / "model_int8.c", folder / "model_int8_test.c"]
    compiled(folder, tmp_path / "golden", sources, "-O1", "-w", f"-DEDGECNN_ONLY={cpu_kernels()[0]}", *POOL)
    done = subprocess.run([tmp_path / "golden"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
