"""What a manifest, a file's name or a flatbuffer says enters C as words, never as code."""

import copy
import ctypes
import ctypes.util
import re
import subprocess
from pathlib import Path
from typing import Any, TypeVar

import c_builder
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from conftest import ROOT
from test_c import compiled

from convert.c import c_text, syntax
from convert.c.c_files import c_files
from convert.c.c_library import expf
from convert.c.lowering import lower
from convert.c.network import Operator, read_network
from convert.c.operators import LOWERINGS, lowers
from convert.c.ops.lookup import EVERY_INT8, add_lookup
from convert.c.plan import Plan
from convert.c.rounding import dense_multipliers, rounded
from edgecnn import EdgecnnError
from edgecnn.manifest import Input, Manifest, Training
from edgecnn.modelfile import ModelFile

EVIL = '\n__attribute__((constructor)) static void evil(void) { __builtin_trap(); }\n#error "\x1b]0;"??/\n/*'
LABELS = ("why??/", 'a "quoted" \\n', "%s%n", "größe", "two\nlines", "*/ } int main;", "a\0b", "??!")
_Sound = TypeVar("_Sound")
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Werror", "-trigraphs")


def softmax() -> bytes:
    """A network of 8 values in and out."""
    return c_builder.Builder((1, 8), 0.1, 0).op(
        "SOFTMAX", [0], (1, 8), 1 / 256, -128, options="SoftmaxOptions", beta=1.0
    ).flatbuffer()  # fmt: skip


def manifest() -> Manifest:
    return hostile(Manifest("plain", "tflite", ("",) * 8, Input((1, 8, 1), (1.0,), (0.0,)), "0" * 64), labels=LABELS)


def hostile(sound: _Sound, **fields: Any) -> _Sound:
    """A copy with fields that its own checks refuse: C holds by itself."""
    copied = copy.copy(sound)
    for name, value in fields.items():
        object.__setattr__(copied, name, value)
    return copied


def written(folder: Path, stem: str, stated: Manifest) -> list[Path]:
    """The four files of a network."""
    plan, names = lower(stem, read_network(stem, softmax())), c_text.Names.of(stem)
    golden = np.zeros((1, 8), np.int8)
    texts = {
        f"{stem}.c": c_text.source(names, plan, stated),
        f"{stem}.h": c_text.header(names, plan, stated),
        f"{stem}_test.c": c_text.golden(names, golden, golden - 96),
        f"{stem}_main.c": c_text.program(names),
    }
    for name, content in texts.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in texts]


def test_no_manifest_ends_a_comment_or_a_string(tmp_path: Path) -> None:
    """The golden test passes, nothing of the manifest runs, and labels are printed byte for byte."""
    training = hostile(Training("", 1, 0, "", "0" * 64, False, {}), recipe=EVIL, dataset=f"data{EVIL}\\")
    stated = hostile(manifest(), name=EVIL, training=training, weights_sha256=f"\\\n{EVIL}")
    network, _, golden, _ = written(tmp_path, "net", stated)
    printer = tmp_path / "printer.c"
    printer.write_text(
        '#include "net.h"\n#include <stdio.h>\n'
        "int main(void) { for (int i = 0; i < NET_CLASSES; i++) puts(net_labels[i]); return 0; }\n"
    )
    for program, more in ((tmp_path / "golden", golden), (tmp_path / "labels", printer)):
        compiled(tmp_path, program, [network, more], *STRICT)
    assert subprocess.run([tmp_path / "golden"], check=False).returncode == 0
    printed = subprocess.run([tmp_path / "labels"], capture_output=True, check=True).stdout
    assert printed == b"".join(label.encode().split(b"\0")[0] + b"\n" for label in LABELS)


def test_any_text_is_escaped(tmp_path: Path) -> None:
    """At the end of a line too, and in the longest of texts."""
    texts = (EVIL, "\\\n", "??/\n", "end\\", "end??/", "end???/", "\r\n#error\n", "\u2028#error", 1000 * "?/*\\")
    lines = "".join(f"// {syntax.comment(words)}\nconst char *const text{n} = {syntax.literal(words)};\n"
                    for n, words in enumerate(texts))  # fmt: skip
    checks = "".join(f"puts(text{n});" for n in range(len(texts)))
    (tmp_path / "texts.c").write_text(f"#include <stdio.h>\n{lines}int main(void) {{ {checks} return 0; }}\n", "ascii")
    compiled(tmp_path, tmp_path / "texts", [tmp_path / "texts.c"], *STRICT)
    printed = subprocess.run([tmp_path / "texts"], capture_output=True, check=True).stdout
    assert printed == b"".join(words.encode() + b"\n" for words in texts)


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("my_header", "my_header"),
        ("ecosystem", "ecosystem"),
        ("NAME_STEM", "NAME_STEM"),
        ("model.v2", "model_v2"),
        ("int8", "model_int8"),
        ("char", "model_char"),
        ("while", "while"),
        ("8x8", "model_8x8"),
        ("__x__", "x"),
        ("größe 2", "gr_e_2"),
        ("数字", "model"),
        ("best", "best"),
        ("layer_softmax", "model_layer_softmax"),
        ("100%s", "model_100_s"),
    ],
)
def test_any_file_name_compiles(stem: str, name: str, tmp_path: Path) -> None:
    paths = written(tmp_path, stem, manifest())
    assert c_text.Names.of(stem).lower == name
    limits = ("-D__STDC_WANT_IEC_60559_BFP_EXT__", "-include", "limits.h")
    for path, more in ((paths[0], limits), (paths[2], limits), (paths[3], ())):
        compiled(tmp_path, tmp_path / "object", [path], *STRICT, "-c", *more)
    assert f"int {name}_classify(" in paths[1].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ['a".c', "a\nb.c", "a\\.c", "a??!.c", "\udcff.c", "string.c"])
def test_file_names_that_c_cannot_include_are_refused(name: str) -> None:
    with pytest.raises(EdgecnnError, match="name"):
        syntax.check_file_name(Path(name))


def test_templates_take_nothing_that_nobody_escaped() -> None:
    with pytest.raises(TypeError, match="escape it"):
        syntax.rendered("arena.h", arena="1];")


def test_c_is_not_written_where_file_and_manifest_disagree() -> None:
    """Else C would read and write beyond its arena."""
    path, target = Path("net.tflite"), Path("net.c")
    with pytest.raises(EdgecnnError, match="manifest speaks of"):
        c_files(ModelFile(path, softmax(), hostile(manifest(), labels=LABELS[:3])), target, [])
    lying = c_builder.Builder((1, 4), 0.1, 0)
    lying.op("SOFTMAX", [0], (1, 8), 1 / 256, -128, options="SoftmaxOptions", beta=1.0)
    with pytest.raises(EdgecnnError, match="export it anew"):
        c_files(
            ModelFile(path, lying.flatbuffer(), hostile(manifest(), input=Input((1, 4, 1), (1.0,), (0.0,)))), target, []
        )


def test_ends_of_uint8_become_int8() -> None:
    """The C is that of the network between them, and golden inputs give the same."""
    between = c_builder.Builder((1, 8), 0.1, 3)
    between.op("SOFTMAX", [0], (1, 8), 1 / 256, -128, options="SoftmaxOptions", beta=1.0)
    whole = c_builder.Builder((1, 8), 0.1, 131)
    whole.op("QUANTIZE", [0], (1, 8), 0.1, 3)
    whole.op("SOFTMAX", [1], (1, 8), 1 / 256, -128, options="SoftmaxOptions", beta=1.0)
    whole.op("QUANTIZE", [2], (1, 8), 1 / 256, 0)
    for end in (0, 3):
        whole.tensors[end].type = schema.TensorType.UINT8
    files = [
        c_files(ModelFile(Path("net.tflite"), network.flatbuffer(), manifest()), Path("net.c"), [])[0]
        for network in (between, whole)
    ]
    assert files[0] == files[1]
    whole.tensors[3].quantization.zeroPoint[:] = 1
    with pytest.raises(EdgecnnError, match="is not full int8"):
        lower("other", read_network("other", whole.flatbuffer()))


def test_an_open_batch_is_one_and_an_open_size_is_refused() -> None:
    def signed(shape: tuple[int, ...], signature: tuple[int, ...]) -> bytes:
        built = c_builder.Builder(shape, 0.1, 0)
        built.tensors[0].shapeSignature = np.array(signature, np.int32)
        scale = {"padding": 1, "strideH": 1, "strideW": 1, "filterHeight": 1, "filterWidth": 1}
        return built.op("MAX_POOL_2D", [0], shape, 0.1, 0, options="Pool2DOptions", **scale).flatbuffer()

    network = read_network("open", signed((1, 4, 4, 3), (-1, 4, 4, 3)))
    assert network.tensors[network.input].shape == (1, 4, 4, 3)
    with pytest.raises(EdgecnnError, match="fixed size"):
        read_network("open", signed((1, 1, 1, 3), (-1, -1, -1, 3)))
    with pytest.raises(EdgecnnError, match="takes 8 images at once"):
        read_network("eight", signed((8, 4, 4, 3), (8, 4, 4, 3)))


@pytest.mark.parametrize("real", [2.0**-13, 1 / 3 * 2**-10, 0.2712345, 2.0**-31 * 0.99, 2.0**-40])
def test_multipliers_of_dense_layers_round_as_a_double_does(real: float) -> None:
    """Every sum of a range, ties too, which the plain multiplier rounds up below zero."""
    least, largest = np.array([-(2**20)]), np.array([2**20])
    exact = dense_multipliers([real], least, largest)
    assert exact is not None
    multiplier, shift = int(exact[0][0]), int(exact[1][0])
    sums = np.arange(least[0], largest[0] + 1)
    outputs = (sums * multiplier + (1 << (30 + shift))) >> (31 + shift)
    assert (outputs.clip(-256, 256) == rounded(sums * real).clip(-256, 256)).all()


def test_where_no_multiplier_is_exact_none_is_given() -> None:
    end = np.array([2**31 - 1])
    assert dense_multipliers([1.23456789e-7], -end, end) is None


def test_an_operator_is_added_by_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    network = c_builder.Builder((1, 8), 0.5, -3).op("ABS", [0], (1, 8), 0.5, -3).flatbuffer()
    with pytest.raises(EdgecnnError, match="C is not written for: ABS"):
        lower("toy", read_network("toy", network))
    monkeypatch.setitem(LOWERINGS, "ABS", None)  # taken back afterwards

    @lowers("ABS")
    def absolute(plan: Plan, operator: Operator) -> None:
        zero_point = plan.tensor(operator.inputs[0]).zero_point
        add_lookup(plan, operator, np.abs(EVERY_INT8 - zero_point) + zero_point)

    files = c_files(ModelFile(Path("toy.tflite"), network, manifest()), Path("toy.c"), [])[0]
    assert b"lookup(arena + 0, arena + 0, 8, layer_abs_table);" in files[Path("toy.c")]


def test_the_guide_lists_the_operators() -> None:
    guide = (ROOT / "docs/c.md").read_text()
    listed = re.findall("`([A-Z0-9_]+)`", guide[guide.index("**What exports:**") : guide.index("## Libraries")])
    assert listed == sorted(LOWERINGS)


def test_powers_of_softmax_are_those_of_the_c_library() -> None:
    """Of which some are not the nearest float32."""
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    library.expf.restype, library.expf.argtypes = ctypes.c_float, (ctypes.c_float,)
    values = (-np.random.default_rng(0).uniform(0, 110, 5000)).astype(np.float32)
    assert (expf(values) == np.array(list(map(library.expf, values.tolist())), np.float32)).all()
