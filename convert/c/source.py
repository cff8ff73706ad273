"""The text of the four C files: what plan.py says, around the kernels that it needs."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.c.plan import Plan
from convert.c.steps import Add, Bytes, Conv, Depthwise, Gather, Layer, Maximum, Mean, Pad, Pool, Softmax, Step
from convert.c.text import Code, comment, identifier, joined, literal, rendered
from edgecnn.interpreters import TensorSpec
from edgecnn.manifest import Manifest
from edgecnn.pixels import input_table

_KERNELS = Path(__file__).with_name("kernels")
_WIDTH = 120  # of a line
_GLUE = "\0"  # a blank at which no line ends


@dataclass(frozen=True)
class Names:
    """What a network is called in C."""

    lower: Code
    header: Code  # as #include wants it

    @property
    def upper(self) -> Code:
        """For macros."""
        return Code(self.lower.upper())

    @staticmethod
    def of(stem: str) -> "Names":
        """The names of a network whose files are STEM.c and STEM.h."""
        return Names(identifier(stem), Code(f"{stem}.h"))


def header(names: Names, made: Plan, manifest: Manifest) -> Code:
    """The text of `<name>.h`."""
    height, width, channels = manifest.input.shape
    taken, given = (made.tensor(place) for place in (made.graph.input, made.graph.output))
    return _rendered(
        "header.h",
        names,
        title=_title(manifest),
        height=height,
        width=width,
        channels=channels,
        input_size=made.input.size,
        classes=len(manifest.labels),
        arena=made.arena,
        input_scale=_float(taken.scale),
        input_zero_point=taken.zero_point,
        output_scale=_float(given.scale),
        output_zero_point=given.zero_point,
    )


def source(names: Names, made: Plan, manifest: Manifest) -> Code:
    """The text of `<name>.c`."""
    kinds = {step.kernel for step in made.steps}
    layers = [text for step in made.steps for text in _data(step)]
    ends = {"input": made.input.buffer.offset, "output": made.output.buffer.offset}
    return joined(
        [
            f"// {_title(manifest)}",
            "// Generated; every part of it is explained where it first stands.",
            f'#include "{names.header}"\n',
            _kernel("common"),
            *([_convolutions(made)] if "conv" in kinds else [_TARGETS]),
            *(_kernel(kind) for kind in sorted(kinds - {"conv"})),
            *layers,
            _labels(names, manifest),
            _pixels(made, manifest),
            _rendered("arena.h", names, arena=made.arena),
            _runs(made),
            _rendered("main.h", names, **ends),
        ]
    )


def golden(names: Names, inputs: Bytes, outputs: Bytes) -> Code:
    """The text of `<name>_test.c`: inputs, and what TFLite's reference kernels make of them."""
    return _rendered("test.h", names, count=len(inputs), inputs=Code(_rows(inputs)), outputs=Code(_rows(outputs)))


def program(names: Names) -> Code:
    """The text of `<name>_main.c`: a command-line program."""
    return _rendered("program.h", names)


def _title(manifest: Manifest) -> Code:
    training = manifest.training
    origin = f", trained on {training.dataset} (recipe {training.recipe}, seed {training.seed})" if training else ""
    return comment(f"{manifest.name}, full int8{origin}; weights {manifest.weights_sha256[:16]}")


def _rendered(template: str, names: Names, **values: int | Code) -> Code:
    return rendered(template, lower=names.lower, upper=names.upper, header=names.header, **values)


def _kernel(name: str) -> str:
    return (_KERNELS / f"{name}.h").read_text()


_TARGETS = (_KERNELS / "targets.h").read_text()


def _convolutions(made: Plan) -> str:
    """The kernels for convolutions, those for a CPU's own instructions only where that CPU is."""
    widest = max(step.inputs[0].size for step in made.steps if isinstance(step, Conv))
    widest_input = f"enum {{ WIDEST = {widest} }};  // bytes of the largest input of a convolution\n"
    x86 = _only(
        "TARGET_X86", "#include <immintrin.h>\n", widest_input, _kernel("conv_avx512vnni"), _kernel("conv_avx2")
    )
    neon = _only("TARGET_NEON", "#include <arm_neon.h>\n", _kernel("neon"), _kernel("conv_neon"))
    dot = _only("TARGET_NEON_DOT", _kernel("conv_neon_dot"))
    return "\n".join([_TARGETS, _kernel("conv"), _kernel("conv_portable"), x86, neon, dot])


def _only(target: str, *texts: str) -> str:
    """Texts for one kind of CPU."""
    inner = "\n".join(texts)
    return f"#if defined {target}\n{inner}#endif\n"


def _data(step: Step) -> Iterable[str]:
    """The constants of a step."""
    if isinstance(step, Layer):
        yield _array("int8_t", f"{step.name}_weights", step.weights)
        yield _array("int32_t", f"{step.name}_bias", step.bias)
        if isinstance(step, Conv):
            unsigned = _array("int32_t", f"{step.name}_unsigned_bias", step.unsigned_bias)
            yield _only("TARGET_X86", unsigned)
            if step.few_weights is not None:
                few = _array("int16_t", f"{step.name}_few_weights", step.few_weights)
                yield _only("TARGET_NEON", few)
            if step.scales is not None:
                yield _array("double", f"{step.name}_scales", step.scales)
        yield _array("int32_t", f"{step.name}_multiplier", step.multiplier)
        yield _array("int32_t", f"{step.name}_shift", step.shift)
        yield _layer(step)
    elif isinstance(step, Pool | Add):
        yield _struct(step.kernel, step.name, step.fields)
    elif isinstance(step, Softmax):
        values = ", ".join(map(_float, step.powers))
        yield f"static const float {step.name}_powers[256] = {{\n{_wrapped(values)}\n}};\n"
    elif isinstance(step, Gather):
        for field, numbers in (("sides", step.sides), ("steps", step.steps)):
            yield f"static const int {step.name}_{field}[5] = {{{', '.join(map(str, numbers))}}};\n"


def _layer(step: Layer) -> str:
    pointers = {field: f"{step.name}_{field}" for field in ("weights", "bias", "multiplier", "shift")}
    if isinstance(step, Conv):
        pointers["unsigned_bias"] = f"UNSIGNED_BIAS({step.name})"
        if step.few_weights is not None:
            pointers["few_weights"] = f"FEW_WEIGHTS({step.name})"
        if step.scales is not None:
            pointers["scales"] = f"{step.name}_scales"
    return _struct(step.kernel, step.name, pointers | {name: str(value) for name, value in step.fields.items()})


def _struct(kind: str, name: str, fields: dict[str, Any]) -> str:
    filled = ", ".join(f".{field}{_GLUE}={_GLUE}{value}" for field, value in fields.items())
    return f"static const struct {kind} {name} = {{\n{_wrapped(filled)}\n}};\n"


def _array(kind: str, name: str, values: npt.NDArray[Any]) -> str:
    numbers = ", ".join(map(str, values.ravel().tolist()))
    return f"static const {kind} ALIGNED {name}[{values.size}] = {{\n{_wrapped(numbers)}\n}};\n"


def _wrapped(text: str) -> str:
    lines = textwrap.wrap(text, _WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return textwrap.indent("\n".join(lines), "    ").replace(_GLUE, " ")


def _rows(values: Bytes) -> str:
    return ",\n".join(f"    {{\n{_wrapped(', '.join(map(str, row.tolist())))}\n    }}" for row in values)


def _float(value: float | np.float32) -> Code:
    text = f"{np.float32(value):.9g}"
    return Code(f"{text}f" if any(char in text for char in ".e") else f"{text}.0f")


def _labels(names: Names, manifest: Manifest) -> str:
    quoted = "".join(f"    {literal(label)},\n" for label in manifest.labels)
    return f"const char *const {names.lower}_labels[{len(manifest.labels)}] = {{\n{quoted}}};\n"


def _pixels(made: Plan, manifest: Manifest) -> str:
    table = pixel_table(made, manifest)
    about = "// The input's int8 for each value of a raw pixel.\n"
    return f"{about}static const int8_t pixel_table[{len(table)}][256] = {{\n{_rows(table)}\n}};\n"


def pixel_table(made: Plan, manifest: Manifest) -> Bytes:
    """The input's int8 for each value of a raw pixel: (1, 256), or (channels, 256) where channels differ."""
    taken = made.tensor(made.graph.input)
    tensor = TensorSpec(taken.shape, np.dtype(np.int8), float(taken.scale), taken.zero_point)
    table = input_table(manifest.input, tensor)
    if table is None:
        raise made.refusal("takes raw pixels as they are")
    return table


_KINDS = (  # suffix, what the compiler must aim at, its attribute
    ("portable", None, ""),
    ("avx2", "TARGET_X86", "AVX2 "),
    ("avx512vnni", "TARGET_X86", "AVX512VNNI "),
    ("neon", "TARGET_NEON", ""),
    ("neon_dot", "TARGET_NEON_DOT", "NEON_DOT "),
)


def _runs(made: Plan) -> str:
    """A function for each kind of CPU that calls the kernels one after the other."""
    parts = []
    for kind, target, attribute in _KINDS:
        calls = "\n".join(f"    {_call(step, kind)}  // {_shape(step)}" for step in made.steps)
        text = f"{attribute}static __attribute__((unused)) void infer_{kind}(int8_t *arena) {{\n{calls}\n}}\n"
        parts.append(_only(target, text) if target else text)
    return "\n".join(parts)


def _shape(step: Step) -> str:
    return f"{step.output.height}x{step.output.width}x{step.output.channels}"


def _call(step: Step, kind: str) -> str:
    ends = [f"arena + {value.buffer.offset}" for value in (*step.inputs, step.output)]
    between = ", ".join(ends)
    if isinstance(step, Conv):
        return f"conv_{kind if step.fast else 'portable'}(&{step.name}, {between});"
    if isinstance(step, Depthwise | Add):
        size = f", {step.output.size}" if isinstance(step, Add) else ""
        return f"{step.kernel}(&{step.name}, {between}{size});"
    if isinstance(step, Pool):
        return f"pool(&{step.name}, {between}, {int(step.average)});"
    if isinstance(step, Gather):
        start = f" + {step.start}" if step.start else ""
        return f"gather({ends[0]}{start}, {ends[1]}, {step.name}_sides, {step.name}_steps);"
    return f"{step.kernel}({', '.join([between, *map(str, _arguments(step))])});"


def _arguments(step: Step) -> Sequence[object]:
    taken = step.inputs[0]
    if isinstance(step, Maximum):
        return (step.output.size,)
    if isinstance(step, Mean):
        ends = (step.input_zero_point, step.zero_point)
        return (taken.height * taken.width, taken.channels, *ends, step.multiplier, step.shift)
    if isinstance(step, Pad):
        return (taken.height, taken.row, step.top, step.bottom, step.left, step.right, step.value)
    if isinstance(step, Softmax):
        return (taken.size, f"{step.name}_powers", _float(step.scale), step.zero_point)
    raise TypeError(f"no call for {step}")
