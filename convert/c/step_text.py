"""The text of a step's functions, one for each kind of CPU, and of those that call them: `infer_CPU`, `share_CPU`."""

from collections.abc import Iterable, Iterator, Sequence

from convert.c.cpus import CPUS, PORTABLE, Cpu, chain, has_kernel, only, twin
from convert.c.sharing import Turn
from convert.c.step import Step


def inferring(steps: Sequence[Step]) -> Iterator[str]:
    """For each kind of CPU the functions of all steps, and one that calls them in their order."""
    for cpu in CPUS:
        yield only(cpu.macro, *_functions(cpu, steps), _infer(cpu, steps))


def sharing(turns: Sequence[Turn]) -> Iterator[str]:
    """For each kind of CPU the function of a worker: its parts of each step, and what it waits for and copies."""
    for cpu in CPUS:
        signature = f"share_{cpu.name}(int8_t *arena, int worker, int workers)"
        lines = [line for turn in turns for line in (*turn.before, _part(turn, cpu))]
        yield only(cpu.macro, _function_of(cpu, "ENTRY", signature, lines))


def timed_calls(cpu: Cpu, steps: Sequence[Step]) -> Iterator[str]:
    """The calls of all steps on one kind of CPU, each timed."""
    for number, step in enumerate(steps):
        yield _whole(step, cpu)
        yield f"start = timed(least + {number}, start);"


def _functions(cpu: Cpu, steps: Sequence[Step]) -> Iterator[str]:
    """A function for each step, on one kind of CPU; of a step that threads share, one for some of its units."""
    for step in (step for step in steps if _compiled_for(step, cpu) is cpu):
        kernels = _kernels(step, cpu)
        share = step.share(*kernels)
        part = ", int first, int last" if share else ""
        lines = share.lines if share else [step.call(*kernels)]
        yield _function_of(cpu, "STEP", f"{_name(step, cpu)}(int8_t *arena{part})", lines)


def _infer(cpu: Cpu, steps: Sequence[Step]) -> str:
    """The function that computes one step after the other, on one kind of CPU."""
    return _function_of(cpu, "ENTRY", f"infer_{cpu.name}(int8_t *arena)", [_whole(step, cpu) for step in steps])


def _part(turn: Turn, cpu: Cpu) -> str:
    """The call for a worker's parts of a step."""
    name, sides = _name(turn.step, cpu), _sides(turn.step)
    if not _units(turn.step):
        return f"if (!worker) {name}(arena);  // {sides}"
    return f"COMPUTE({name}, {turn.parts}, {turn.times});  // {sides}"


def _function_of(cpu: Cpu, kind: str, signature: str, lines: Iterable[str]) -> str:
    attribute = f"{cpu.attribute} " if cpu.attribute else ""
    body = "".join(f"    {line}\n" for line in lines)
    return f"{attribute}{kind} void {signature} {{\n{body}}}\n"


def _name(step: Step, cpu: Cpu) -> str:
    """The function of a step."""
    return f"{step.name}_{_compiled_for(step, cpu).name}"


def _compiled_for(step: Step, cpu: Cpu) -> Cpu:
    """The lowest of the CPUs that share the function of a step."""
    lower = twin(cpu)
    return _compiled_for(step, lower) if lower and _kernels(step, lower) == _kernels(step, cpu) else cpu


def _whole(step: Step, cpu: Cpu) -> str:
    """The call for all of a step."""
    part = f", 0, {_units(step)}" if _units(step) else ""
    return f"{_name(step, cpu)}(arena{part});  // {_sides(step)}"


def _units(step: Step) -> int:
    """The units that threads share; 0 if one of them computes it all."""
    share = step.share()
    return share.units if share else 0


def _kernels(step: Step, cpu: Cpu) -> list[str]:
    return [_kernel(part, cpu) for part in step.parts]


def _kernel(step: Step, cpu: Cpu) -> str:
    """The best kernel for a step that a CPU can run."""
    for candidate in chain(cpu):
        if has_kernel(step.kernel, candidate) and (candidate is PORTABLE or step.is_exact_on(candidate)):
            return f"{step.kernel}_{candidate.name}"
    return step.kernel


def _sides(step: Step) -> str:
    return f"{step.output.height}x{step.output.width}x{step.output.channels}"
