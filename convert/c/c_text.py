"""The text of the four C files: a plan's steps, around the kernels that they call."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convert.c.cpus import CPUS, MACROS, PORTABLE, has_kernel, kernel_file, of_macro, only
from convert.c.initializers import float_literal, rows
from convert.c.plan import Plan
from convert.c.rejection import rejection_values
from convert.c.sharing import turns
from convert.c.step import Bytes, Step
from convert.c.step_text import inferring, sharing, timed_calls
from convert.c.syntax import Code, comment, identifier, joined, literal, rendered
from edgecnn.engines import MOST_NATIVE_THREADS
from edgecnn.interpreters import TensorSpec
from edgecnn.manifest import Manifest
from edgecnn.pixels import input_table

_FIRST = "conv"  # what kernels of several kinds share stands in its files


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


def header(names: Names, plan: Plan, manifest: Manifest) -> Code:
    """The text of `<name>.h`."""
    height, width, channels = manifest.input.shape
    first, last = (plan.tensor(place) for place in (plan.network.input, plan.network.output))
    return _rendered(
        "header.h",
        names,
        title=title(manifest),
        height=height,
        width=width,
        channels=channels,
        input_size=plan.input.size,
        classes=len(manifest.labels),
        arena=plan.arena,
        input_scale=float_literal(first.scale),
        input_zero_point=first.zero_point,
        output_scale=float_literal(last.scale),
        output_zero_point=last.zero_point,
        kernels=joined((f'"{cpu.name}"' for cpu in reversed(CPUS)), ", "),
    )


def source(names: Names, plan: Plan, manifest: Manifest) -> Code:
    """The text of `<name>.c`."""
    shared = list(turns(plan))
    ends = {"input": plan.input.buffer.offset, "output": plan.output.buffer.offset}
    return joined(
        [
            f"// {title(manifest)}",
            "// Generated; every part of it is explained where it first stands.",
            f'#include "{names.header}"\n',
            kernel_file("common"),
            kernel_file("targets"),
            *(f"#define {macro}\n" for macro in _defines(plan.steps)),
            _scratch("window_copy", "", plan.steps),
            *_kernels(plan.steps),
            *(text for step in plan.steps for text in step.constants()),
            _labels(names, manifest),
            _pixels(plan, manifest),
            _rendered("arena.h", names, arena=plan.arena),
            *inferring(plan.steps),
            _rendered("meeting.h", names, most=MOST_NATIVE_THREADS, shared=joined(sharing(shared))),
            _rendered("main.h", names, **ends),
            _known(names, plan, manifest),
            _rendered("pool.h", names, shared_steps=int(any(turn.parts > 1 for turn in shared)), **ends),
        ]
    )


def timing(plan: Plan, kernels: str) -> Code:
    """More text for `<name>.c`: a function that times each step with the kernels of one CPU."""
    (cpu,) = (cpu for cpu in CPUS if cpu.name == kernels)
    calls = (f"        {line}\n" for line in timed_calls(cpu, plan.steps))
    return rendered("timing.h", calls=joined(calls))


def golden(names: Names, inputs: Bytes, outputs: Bytes) -> Code:
    """The text of `<name>_test.c`: inputs, and what TFLite's reference kernels make of them."""
    return _rendered("test.h", names, count=len(inputs), inputs=Code(rows(inputs)), outputs=Code(rows(outputs)))


def program(names: Names) -> Code:
    """The text of `<name>_main.c`: a command-line program."""
    return _rendered("program.h", names)


def title(manifest: Manifest) -> Code:
    """What a network is, in a line."""
    training = manifest.training
    origin = f", trained on {training.dataset} (recipe {training.recipe}, seed {training.seed})" if training else ""
    return comment(f"{manifest.name}, full int8{origin}; weights {manifest.weights_sha256[:16]}")


def _rendered(template: str, names: Names, **values: int | Code) -> Code:
    return rendered(template, lower=names.lower, upper=names.upper, header=names.header, **values)


def _kernels(steps: Sequence[Step]) -> list[str]:
    """The kernels that steps call: of each the portable one, then those for a CPU's own instructions."""
    texts, shared = [], {macro: _shared(macro, steps) for macro in MACROS}
    for kernel in sorted(
        {part.kernel for step in steps for part in step.parts}, key=lambda kernel: (kernel != _FIRST, kernel)
    ):
        texts += [kernel_file(kernel), *([kernel_file(f"{kernel}_portable")] if has_kernel(kernel, PORTABLE) else [])]
        if any(has_kernel(kernel, cpu) for cpu in CPUS if cpu.macro):
            families = {macro: files for macro in MACROS if (files := _family(kernel, macro))}
            texts += [only(macro, *shared.pop(macro, ()), *files) for macro, files in families.items()]
    return texts


def _defines(steps: Sequence[Step]) -> list[str]:
    """The macros that any step wants."""
    return list(dict.fromkeys(macro for step in steps for part in step.parts for macro in part.defines))


def _shared(macro: str, steps: Sequence[Step]) -> list[str]:
    """What all kernels for a family of CPUs share."""
    includes = dict.fromkeys(f"#include <{cpu.include}>\n" for cpu in of_macro(macro) if cpu.include)
    scratch = [_scratch("scratch", macro, steps)] if any(cpu.below == PORTABLE.name for cpu in of_macro(macro)) else []
    return [*includes, *scratch, *dict.fromkeys(kernel_file(cpu.shared) for cpu in of_macro(macro) if cpu.shared)]


def _scratch(name: str, macro: str, steps: Sequence[Step]) -> str:
    """Bytes for one step at a time, of a family of CPUs or, without a macro, of the portable kernels."""
    size = max(1, *(step.scratch_bytes(macro) for step in steps))
    return f"OF_THREAD int8_t ALIGNED __attribute__((unused)) {name}[{size}];\n"


def _family(kernel: str, macro: str) -> list[str]:
    """The kernels of one kind for a family of CPUs; those of a CPU below stand first, since others may call them."""
    return [kernel_file(f"{kernel}_{cpu.name}") for cpu in reversed(of_macro(macro)) if has_kernel(kernel, cpu)]


def _labels(names: Names, manifest: Manifest) -> str:
    quoted = "".join(f"    {literal(label)},\n" for label in manifest.labels)
    return f"const char *const {names.lower}_labels[{len(manifest.labels)}] = {{\n{quoted}}};\n"


def _known(names: Names, plan: Plan, manifest: Manifest) -> str:
    """The function that tells whether an image is `unknown`; without --reject none is."""
    last = plan.tensor(plan.network.output)
    spec = TensorSpec(last.shape, np.dtype(np.int8), float(last.scale), last.zero_point)
    if manifest.rejection:
        return _rendered("known.h", names, **rejection_values(manifest.rejection, manifest, spec))
    return f"\nint {names.lower}_is_known(const int8_t *output) {{ return (void)output, 1; }}\n"


def _pixels(plan: Plan, manifest: Manifest) -> str:
    """The C function from a raw pixel to the input's int8; compilers vectorize a subtraction, but no table."""
    table = pixel_table(plan, manifest)
    about = "// The input's int8 for a raw pixel, and for where it lies in the image.\n"
    head = f"{about}static inline int8_t stored_pixel(int place, uint8_t pixel)"
    if np.array_equal(table, [np.arange(-128, 128)]):
        return f"{head} {{ return (void)place, (int8_t)(pixel - 128); }}\n"
    tables = f"static const int8_t pixel_table[{len(table)}][256] = {{\n{rows(table)}\n}};\n\n"
    return f"{tables}{head} {{ return pixel_table[place % {len(table)}][pixel]; }}\n"


def pixel_table(plan: Plan, manifest: Manifest) -> Bytes:
    """The input's int8 for each value of a raw pixel: (1, 256), or (channels, 256) where channels differ."""
    first = plan.tensor(plan.network.input)
    spec = TensorSpec(first.shape, np.dtype(np.int8), float(first.scale), first.zero_point)
    table = input_table(manifest.input, spec)
    if table is None:
        raise plan.refusal("takes raw pixels as they are")
    return table
