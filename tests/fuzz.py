"""Thousands of damaged and hostile files under valid seals, through info, check and classify.

A seal is a hash that anybody can make, so that nothing behind it is trusted. Every file is given to each command in a
process of its own; it may be refused in a line (status 2) or answered, and nothing else: no crash, no stack trace, no
half a minute, no 500 MB. What changes no more than weights or words that mean nothing is answered, and may be.

Examples:
  python tests/fuzz.py artifacts/digits                 5,400 files, some minutes
  python tests/fuzz.py artifacts/digits --each 20 --kind "onnx nodes" --keep /tmp/kept
"""

import argparse
import contextlib
import copy
import importlib
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import edgecnn.child_process
from edgecnn.child_process import DiedError, Limits
from edgecnn.cli import main as edgecnn_main
from edgecnn.manifest import SCHEMA
from edgecnn.modelfile import MEMBER
from edgecnn.native_description import SCHEMA as NATIVE_SCHEMA
from edgecnn.native_description import library_key
from edgecnn.npz import npz
from edgecnn.seal import SEAL, seal, unzip_members, zip_members

SECONDS, MEGABYTES = 30, 500  # that a command may take
EACH = 450
COMMANDS = ("info", "check", "classify")
IMPORTED = (  # once, before the forks
    "ai_edge_litert.interpreter", "onnxruntime", "PIL.Image", "PIL.ImageOps", "PIL.PngImagePlugin", "multiprocessing",
    "edgecnn.commands", "edgecnn.native_engine", "edgecnn.onnx_structure", "edgecnn.selection",
    "edgecnn.tflite_engine", "edgecnn.tflite_structure",
)  # fmt: skip
NUMBERS = (0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**70), 10**300, 0.0, -0.5, 1.5, 1e308, float("nan"),
    float("inf"), "", "x", "\x1b[2J\x1b]0;owned\x07", "a\nb", "\u202egpj", "\ud800", "../../../etc/passwd", "$(id)",
    "%s%n", "<script>alert(1)</script>", "x" * 100_000, [], [[]], {}, {"": {}}, [0] * 100_000, [[[[[[[[]]]]]]]], "NHWC",
    "onnx",
)  # fmt: skip


@dataclass(frozen=True)
class Sound:
    """What is spoilt: sound files."""

    tflite: bytes  # the flatbuffer alone
    onnx: bytes  # the ModelProto alone
    keras: bytes
    data: bytes  # a data set
    manifests: dict[str, dict[str, Any]]  # by format


@dataclass(frozen=True)
class Case:
    """A spoilt file, and what it is called."""

    name: str
    data: bytes


def sound_files(folder: Path) -> Sound:
    """The files of a training on digits and its conversions."""
    from edgecnn.modelfile import read_model

    names = {"tflite": "model_int8.tflite", "onnx": "model_float32.onnx", "keras": "model.keras"}
    models = {kind: read_model(folder / name) for kind, name in names.items()}
    manifests = {kind: json.loads(model.manifest.to_json()) for kind, model in models.items()}
    payload = models["onnx"].data.index(MEMBER.encode()) - 3  # its key and length, before them the entry's
    while models["onnx"].data[payload] != 14 << 3 | 2:
        payload -= 1
    return Sound(
        tflite=models["tflite"].data[: models["tflite"].data.index(b"PK\x03\x04")],
        onnx=models["onnx"].data[:payload],
        keras=models["keras"].data,
        data=(folder / "validation.npz").read_bytes(),
        manifests=manifests,
    )


def packed(kind: str, payload: bytes, manifest: bytes) -> bytes:
    """A model file as edgecnn packs it, with any manifest."""
    from edgecnn.modelfile import _onnx_entry

    if kind == "onnx":
        return seal((payload + _onnx_entry(MEMBER, manifest) + _onnx_entry("sha256", b"0" * SEAL))[:-SEAL])
    return zip_members({MEMBER: manifest, "labels.txt": b"0"}, before=payload)


def model(sound: Sound, kind: str, payload: bytes | None = None) -> Case:
    """A model file whose seal and manifest are sound."""
    whole = payload if payload is not None else getattr(sound, kind)
    return Case(f"model.{kind}", packed(kind, whole, json.dumps(sound.manifests[kind]).encode()))


def spoilt_words(data: bytes, draw: random.Random, wanted: Callable[[int, int], bool], most: int = 3) -> bytes:
    """Some 32-bit words overwritten, of those that are wanted by place and value."""
    words = struct.unpack_from(f"<{len(data) // 4}I", data)
    places = [place for place, value in enumerate(words) if wanted(4 * place, value)]
    out = bytearray(data)
    for _ in range(draw.randint(1, most)):
        place = draw.choice(places)
        value = draw.choice((*NUMBERS, words[place] + 4, words[place] - 4, draw.getrandbits(32))) & 0xFFFFFFFF
        struct.pack_into("<I", out, 4 * place, value)
    return bytes(out)


def tables(data: bytes) -> Callable[[int, int], bool]:
    """Whether a place of a flatbuffer is outside of its large buffers."""
    from edgecnn.flatbuffer import Flatbuffer
    from edgecnn.tflite_schema import BUFFER, MODEL

    file = Flatbuffer(data)
    spans = [file.fields(at, BUFFER)[0] for at in file.fields(file.root(), MODEL)[4]]
    inside = bytearray(len(data) + 4)
    for start, size in spans:
        if size > 64:
            inside[start : start + size] = b"\1" * size
    return lambda place, _: not inside[place]


def tflite_offsets(sound: Sound, draw: random.Random) -> Case:
    """Offsets, counts and vtables overwritten."""
    outside = tables(sound.tflite)
    wanted = lambda place, value: outside(place, value) and 0 < value < 2**20  # noqa: E731
    return model(sound, "tflite", spoilt_words(sound.tflite, draw, wanted))


def tflite_tables(sound: Sound, draw: random.Random) -> Case:
    """Any words of tables overwritten: shapes, indices, options, scales."""
    return model(sound, "tflite", spoilt_words(sound.tflite, draw, tables(sound.tflite), 6))


def tflite_bytes(sound: Sound, draw: random.Random) -> Case:
    """Single bytes of tables overwritten: types, codes."""
    outside, out = tables(sound.tflite), bytearray(sound.tflite)
    places = [place for place in range(len(out)) if outside(place, 0)]
    for place in draw.choices(places, k=draw.randint(1, 8)):
        out[place] = draw.choice((0, 1, 3, 9, 0x7F, 0xFF, draw.getrandbits(8)))
    return model(sound, "tflite", bytes(out))


def cut(sound: Sound, draw: random.Random) -> Case:
    """Cut short, blocks left out or twice there."""
    kind = draw.choice(("tflite", "onnx"))
    data = getattr(sound, kind)
    at, size = draw.randrange(8, len(data)), draw.choice((4, 64, 4096))
    out = draw.choice((data[:at], data[:at] + data[at + size :], data[:at] + data[at - size :]))
    return model(sound, kind, out)


def onnx_bytes(sound: Sound, draw: random.Random) -> Case:
    """Bytes overwritten, near the names rather than in the weights."""
    out = bytearray(sound.onnx)
    names = [found.start() for found in re.finditer(rb"[A-Za-z_/]{4}", sound.onnx)]
    for _ in range(draw.randint(1, 6)):
        out[max(8, draw.choice(names) + draw.randint(-12, 12)) % len(out)] = draw.choice(
            (0, 0x7F, 0xFF, draw.getrandbits(8))
        )
    return model(sound, "onnx", bytes(out))


def onnx_nodes(sound: Sound, draw: random.Random) -> Case:
    """A graph whose nodes, attributes and shapes were changed."""
    import onnx

    made = onnx.ModelProto.FromString(sound.onnx)
    for _ in range(draw.randint(1, 3)):
        draw.choice((_node, _attribute, _tensor, _shape, _new_node))(made.graph, draw)
    return model(sound, "onnx", made.SerializeToString())


def _node(graph: Any, draw: random.Random) -> None:
    node, other = draw.choice(graph.node), draw.choice(graph.node)
    change = draw.randrange(5)
    if change == 0 and node.input:
        node.input[draw.randrange(len(node.input))] = draw.choice((*other.output, *other.input, "", "nothing"))
    elif change == 1:
        node.op_type = draw.choice((other.op_type, "Tile", "Expand", "Loop", "If", "NonZero", "Resize", "x" * 1000))
    elif change == 2:
        graph.node.remove(node)
    elif change == 3:
        node.domain = draw.choice(("com.microsoft", "evil", "\x1b[2J"))
    else:
        node.output[0] = draw.choice((*other.output, *other.input, ""))


def _attribute(graph: Any, draw: random.Random) -> None:
    attribute = draw.choice([each for node in graph.node for each in node.attribute] or [None])
    if attribute is None:
        return
    for place in range(len(attribute.ints)):
        if draw.random() < 0.5:
            attribute.ints[place] = draw.choice((0, -1, 1, 10**5, 2**31 - 1, 2**31, 2**62, -(2**62)))
    if attribute.HasField("i"):
        attribute.i = draw.choice((0, -1, 7, 2**31, 2**62))
    if draw.random() < 0.2:
        attribute.type = draw.randrange(1, 14)


def _tensor(graph: Any, draw: random.Random) -> None:
    tensor = draw.choice(graph.initializer)
    change = draw.randrange(5)
    if change == 0 and tensor.dims:
        tensor.dims[draw.randrange(len(tensor.dims))] = draw.choice((0, -1, 1, 2**20, 2**31, 2**62))
    elif change == 1:
        tensor.raw_data = draw.choice((b"", tensor.raw_data[:-1], tensor.raw_data * 2, b"\xff" * len(tensor.raw_data)))
    elif change == 2:
        tensor.data_type = draw.randrange(0, 24)
    elif change == 3:
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", draw.choice(("/etc/passwd", "../../x", "/dev/zero"))
        tensor.data_location = 1
    elif tensor.data_type == 7 and tensor.raw_data:
        count = len(tensor.raw_data) // 8
        values = [draw.choice((-1, 0, 1, 2**16, 2**31, 2**40, 2**62)) for _ in range(count)]
        tensor.raw_data = struct.pack(f"<{count}q", *values)


def _shape(graph: Any, draw: random.Random) -> None:
    value = draw.choice([*graph.input, *graph.output, *graph.value_info])
    shape = value.type.tensor_type.shape
    for side in shape.dim:
        if draw.random() < 0.4:
            side.dim_value = draw.choice((0, -1, 1, 2, 3, 2**16, 2**31, 2**62))
    if draw.random() < 0.2:
        value.type.tensor_type.elem_type = draw.randrange(0, 24)


def _new_node(graph: Any, draw: random.Random) -> None:
    """An operator that makes much of little."""
    import onnx

    at = draw.randrange(len(graph.node))
    source = graph.node[at].input[0] if graph.node[at].input else graph.input[0].name
    sizes = [draw.choice((1, 2, 2**10, 2**16, 2**20)) for _ in range(4)]
    graph.initializer.append(onnx.helper.make_tensor("evil", 7, [4], sizes))
    kind = draw.choice(("Tile", "Expand", "ConstantOfShape", "Loop"))
    if kind == "Loop":
        count, go = onnx.helper.make_tensor("n", 7, [], [2**62]), onnx.helper.make_tensor("go", 9, [], [1])
        graph.initializer.extend([count, go])
        ends = [onnx.helper.make_tensor_value_info(name, type_, []) for name, type_ in (("i", 7), ("c", 9))]
        out = onnx.helper.make_tensor_value_info("c2", 9, [])
        body = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["c"], ["c2"])], "body", ends, [out])
        graph.node.insert(at, onnx.helper.make_node("Loop", ["n", "go"], [], body=body))
        return
    inputs = ["evil"] if kind == "ConstantOfShape" else [source, "evil"]
    graph.node.insert(at, onnx.helper.make_node(kind, inputs, ["much"]))
    if graph.node[at + 1].input:
        graph.node[at + 1].input[0] = "much"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all that is in a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def changed(document: dict[str, Any], draw: random.Random, values: tuple[Any, ...] = VALUES) -> dict[str, Any]:
    """A JSON document with some of its values replaced, left out or added."""
    out: dict[str, Any] = json.loads(json.dumps(document))
    for _ in range(draw.randint(1, 2)):
        path = draw.choice(list(places(out)) or [("x",)])
        parent: Any = out
        for key in path[:-1]:
            parent = parent[key]
        if draw.random() < 0.15 and isinstance(parent, dict):
            parent.pop(path[-1], None)
        elif draw.random() < 0.1 and isinstance(parent, dict):
            parent[draw.choice(("", "x", "__class__", "x" * 10_000))] = copy.deepcopy(draw.choice(values))
        else:
            parent[path[-1]] = copy.deepcopy(draw.choice(values))
    return out


def manifest_values(sound: Sound, draw: random.Random) -> Case:
    """A manifest that says what cannot be."""
    kind = draw.choice(("tflite", "onnx"))
    document = changed(sound.manifests[kind], draw)
    return Case(f"model.{kind}", packed(kind, getattr(sound, kind), json.dumps(document).encode()))


def manifest_text(sound: Sound, draw: random.Random) -> Case:
    """A manifest that is no JSON, or JSON beyond all measure."""
    kind = draw.choice(("tflite", "onnx"))
    text = json.dumps(sound.manifests[kind]).encode()
    at = draw.randrange(len(text))
    texts = (
        text[:at], text[at:], text[:at] + bytes([draw.getrandbits(8)]) + text[at + 1 :], b"[" * 10**6, b"{" + text,
        b'{"schema":' + b"9" * 10**5 + b"}", b'{"a":' * 10**5, b"\xff\xfe" + text, b"", b"null", b"[]", b'"x"',
        b"1e999",        json.dumps({"schema": SCHEMA + 1}).encode(), b" " * 10**7,
    )  # fmt: skip
    return Case(f"model.{kind}", packed(kind, getattr(sound, kind), draw.choice(texts)))


def zips(sound: Sound, draw: random.Random) -> Case:
    """A ZIP behind the flatbuffer whose directory lies, or a metadata entry of an ONNX file that does."""
    kind = draw.choice(("tflite", "tflite", "onnx"))
    whole = bytearray(model(sound, kind).data[:-SEAL])
    for _ in range(draw.randint(1, 4)):
        at = len(whole) - draw.randint(1, 250)
        value = draw.choice(NUMBERS)
        if draw.random() < 0.5:
            struct.pack_into("<I", whole, min(at, len(whole) - 26), value)
        else:
            whole[at] = value & 0xFF
    return Case(f"model.{kind}", seal(bytes(whole)))


def keras_zips(sound: Sound, draw: random.Random) -> Case:
    """A .keras with another manifest, or a directory that lies."""
    if draw.random() < 0.5:
        whole = bytearray(sound.keras[:-SEAL])
        for _ in range(draw.randint(1, 4)):
            struct.pack_into("<I", whole, len(whole) - draw.randint(26, 400), draw.choice(NUMBERS))
        return Case("model.keras", seal(bytes(whole)))
    members = unzip_members(sound.keras) | {MEMBER: json.dumps(changed(sound.manifests["keras"], draw)).encode()}
    return Case("model.keras", zip_members(members))


def _npy(descr: str, shape: str, body: bytes) -> bytes:
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head + body


def data_sets(sound: Sound, draw: random.Random) -> Case:
    """A data set with arrays, members or a source that cannot be."""
    members = unzip_members(sound.data)
    name = draw.choice(list(members))
    sizes = ((), (0,), (5,), (5, 1), (3, 28, 28), (3, 28, 28, 1), (1,) * 20)
    array = np.zeros(draw.choice(sizes), draw.choice(("u1", "i8", "f4", "f8", "?", "U3", "S2", "c8", "M8[s]")))
    buffer = unzip_members(npz({"a": array}))["a.npy"]
    descr = draw.choice(("'|u1'", "'|O'", "'<U9'", "[('a','<f8')]", "'|V0'", "None", "'x'"))
    shape = draw.choice(("(10000000000000,)", "(-1,)", "(0, 99999999999999)", "()", "None", "(1.5,)", f"({'1,' * 50})"))
    heads = (_npy(descr, shape, b"0" * draw.choice((0, 1, 8))), b"", b"\x93NUMPY\1\0", b"\x80\x04cos\nsystem\n", buffer)
    if name.endswith(".json"):
        source = json.loads(members[name])
        members[name] = json.dumps(
            draw.choice((None, [], 1, {"x": "y"}, *(changed(source, draw) for _ in range(6))))
        ).encode()
    elif draw.random() < 0.2:
        members[name] = bytes(200_000_000) if draw.random() < 0.2 else members[name][: draw.randrange(200)]
    elif draw.random() < 0.2:
        del members[name]
    else:
        members[name] = draw.choice(heads)
    return Case("data.npz", zip_members(members, compress=True))


def described(draw: random.Random) -> dict[str, Any]:
    """A native.json, sound but for its libraries."""
    end = {"shape": [1, 28, 28, 1], "scale": 0.0039, "zero_point": -128}
    library = {"file": "model.so", "sha256": "0" * 64, "program": "model", "program_sha256": "0" * 64}
    libraries = {f"linux-{draw.choice(('x86_64', 'aarch64'))}": library, "linux-armv7": library}
    head = {"schema": NATIVE_SCHEMA, "symbol": "model", **library_key(None)}
    return {**head, "input": end, "output": end | {"shape": [1, 10]}, "libraries": libraries}


def native_json(sound: Sound, draw: random.Random) -> Case:
    """What lies beside a model for the engine native."""
    manifest = sound.manifests["tflite"]
    calibration = (manifest["calibration"] or {}).get("sha256")
    whole = described(draw) | {"weights_sha256": manifest["weights_sha256"], "calibration_sha256": calibration}
    text = json.dumps(changed(whole, draw)).encode()
    return Case("model.native.json", draw.choice((text, text, text, text[: draw.randrange(len(text))], b"[" * 10**6)))


def selections(sound: Sound, draw: random.Random) -> Case:
    """What `tune` left in a folder."""
    winner = {"model": "model.tflite", "engine": "litert", "threads": 1}
    whole = {"schema": 1, "key": {"device": {}, "engines": {}, "models": {}}, "winner": winner, "candidates": [winner]}
    text = json.dumps(changed(whole, draw)).encode()
    return Case("selection.json", draw.choice((text, text, text, text[: draw.randrange(len(text))], b"[" * 10**6)))


KINDS: dict[str, Callable[[Sound, random.Random], Case]] = {
    "tflite offsets": tflite_offsets, "tflite tables": tflite_tables, "tflite bytes": tflite_bytes, "cut": cut,
    "onnx bytes": onnx_bytes, "onnx nodes": onnx_nodes, "manifest values": manifest_values,
    "manifest text": manifest_text, "zips": zips, "keras zips": keras_zips, "data sets": data_sets,
    "native.json": native_json, "selection.json": selections,
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    word: str  # refused, answered, gate failed, or what must not be
    seconds: float
    megabytes: float
    told: str


FINE = ("refused", "refused after a trial", "answered", "gate failed")


class Bench:
    """A folder with sound files, in which spoilt ones are tried."""

    def __init__(self, folder: Path, sound: Sound) -> None:
        self.folder = folder
        (folder / "model.tflite").write_bytes(model(sound, "tflite").data)
        (folder / "data.npz").write_bytes(sound.data)
        from PIL import Image

        Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)).save(folder / "a.png")

    def words(self, command: str, case: Case, spoilt: Path) -> list[str]:
        """The command line."""
        is_model = case.name.startswith("model.") and not case.name.endswith(".json")
        path = spoilt / case.name if is_model else self.folder / "model.tflite"
        data = spoilt / case.name if case.name == "data.npz" else self.folder / "data.npz"
        if case.name.endswith(".json"):
            shutil.copy(path, spoilt)
            path = spoilt if case.name == "selection.json" and command != "info" else spoilt / path.name
        more = ["--engine", "native"] if case.name == "model.native.json" and command != "info" else []
        tail = {"info": [str(path)], "check": [str(path), str(data)]}
        return [command, *tail.get(command, [str(self.folder / "a.png"), "--model", str(path)]), *more]

    def run(self, command: str, case: Case) -> Outcome:
        """Run a command on a spoilt file."""
        with tempfile.TemporaryDirectory(dir=self.folder) as spoilt, tempfile.TemporaryFile() as log:
            (Path(spoilt) / case.name).write_bytes(case.data)
            words = self.words(command, case, Path(spoilt))
            os.environ["XDG_STATE_HOME"] = spoilt
            start = time.monotonic()
            child = os.fork()
            if child == 0:
                _serve(words, log.fileno())
            status, usage = _wait(child, start + SECONDS)
            seconds = time.monotonic() - start
            log.seek(0)
            told = log.read(100_000).decode(errors="replace")
        return Outcome(_word(status, told, usage.ru_maxrss / 1000), seconds, usage.ru_maxrss / 1000, told)


def _serve(words: list[str], log: int) -> None:
    """In the child: the command, with a bound."""
    status = 99
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for stream in (1, 2):
            os.dup2(log, stream)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        status = edgecnn_main(words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _wait(child: int, deadline: float) -> tuple[int, Any]:
    while time.monotonic() < deadline:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return status, usage
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    _, _, usage = os.wait4(child, 0)
    return -1, usage


def _word(status: int, told: str, megabytes: float) -> str:
    if status == -1:
        return "HUNG"
    if os.WIFSIGNALED(status):
        return f"DIED of {signal.Signals(os.WTERMSIG(status)).name}"
    return "MEMORY" if megabytes > MEGABYTES else _word_of_exit(status, told)


def _word_of_exit(status: int, told: str) -> str:
    code = os.WEXITSTATUS(status)
    lines = [line for line in told.splitlines() if line.startswith("error: ")]
    if "Traceback" in told or code not in (0, 1, 2) or (code == 2 and len(lines) != 1):
        return f"FAULT {code}"
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", told):
        return "ESCAPE SEQUENCE"
    if "a process that tried it" in told:
        return "refused after a trial"
    return ("answered", "gate failed", "refused")[code]


def forked(function: Callable[..., Any], *arguments: Any, limits: Limits | None = None) -> Any:
    """`edgecnn.child_process.in_child` by fork, with the same bounds: a spawn imports for half a second."""
    import pickle

    with tempfile.TemporaryFile() as answer:
        child = os.fork()
        if child == 0:
            try:
                if limits:
                    edgecnn.child_process._bound(limits.megabytes)
                try:
                    result = (True, function(*arguments))
                except Exception as error:
                    result = (False, error)
                answer.write(pickle.dumps(result))
                answer.flush()
            finally:
                os._exit(0)
        status, _ = _wait(child, time.monotonic() + (min(limits.seconds, SECONDS - 10) if limits else SECONDS))
        if status:
            raise DiedError(
                "no answer" if status == -1 else edgecnn.child_process._how(-(status & 0x7F) or status >> 8)
            )
        answer.seek(0)
        succeeded, value = pickle.loads(answer.read())
    if not succeeded:
        raise value
    return value


def fuzz(folder: Path, each: int, kinds: list[str], seed: int = 0, keep: Path | None = None) -> dict[str, Counter[str]]:
    """Try so many files of each kind, and count how the commands end; what must not be is kept and shown."""
    for name in IMPORTED:
        importlib.import_module(name)
    sound, counts = sound_files(folder), {kind: Counter[str]() for kind in kinds}
    edgecnn.child_process.in_child = forked
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(Path(work), sound)
        for kind in kinds:
            draw = random.Random(f"{seed} {kind}")
            for number in range(each):
                case = KINDS[kind](sound, draw)
                for command in COMMANDS:
                    outcome = bench.run(command, case)
                    counts[kind][outcome.word] += 1
                    if outcome.word not in FINE:
                        print(f"{kind} {number} {command}: {outcome.word} {outcome.seconds:.1f} s", outcome.told[-600:])
                        if keep:
                            (keep / f"{kind} {number} {case.name}").write_bytes(case.data)
            print(f"{kind:16} {each} files: {dict(counts[kind])}", flush=True)
    return counts


def main() -> int:
    """Count, and fail where anything ended as it must not."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, help="of a training on digits and its conversions")
    options.add_argument("--each", type=int, default=EACH, help=f"files of a kind (default {EACH})")
    options.add_argument("--kind", action="append", choices=KINDS, help="only this one")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--keep", type=Path, help="a folder for the files that must not be")
    given = options.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    counts = fuzz(given.folder, given.each, given.kind or list(KINDS), given.seed, given.keep)
    wrong = sum(count for kind in counts.values() for word, count in kind.items() if word not in FINE)
    print(f"{given.each * len(counts)} files, {sum(map(Counter.total, counts.values()))} calls, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
