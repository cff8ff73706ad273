"""Spoilt documents: manifests, ZIPs, data sets and descriptions; a function for each kind of damage."""

import copy
import json
import random
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from fuzz_files import NUMBERS, Case, Sound, model, packed

from edgecnn.manifest import SCHEMA
from edgecnn.modelfile import MEMBER
from edgecnn.native_description import SCHEMA as NATIVE_SCHEMA
from edgecnn.native_description import library_key
from edgecnn.npz import npz
from edgecnn.seal import SEAL, seal, unzip_members, zip_members

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**70), 10**300, 0.0, -0.5, 1.5, 1e308, float("nan"),
    float("inf"), "", "x", "\x1b[2J\x1b]0;owned\x07", "a\nb", "\u202egpj", "\ud800", "../../../etc/passwd", "$(id)",
    "%s%n", "<script>alert(1)</script>", "x" * 100_000, [], [[]], {}, {"": {}}, [0] * 100_000, [[[[[[[[]]]]]]]], "NHWC",
    "onnx",
)  # fmt: skip


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
