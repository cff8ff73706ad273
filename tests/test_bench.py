"""A measurement has its windows, its rows and its verdict; no test asserts how fast anything is."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import refused, run, run_here

from edgecnn.bench import result, summary
from edgecnn.clock import Clock, Ticks
from edgecnn.energy import EnergyMeter, watts
from edgecnn.engines import ENGINES
from edgecnn.latency_tables import screen
from edgecnn.measuring import measure
from edgecnn.subject import Method, Setup
from edgecnn.validity import MachineState, Window, reasons


def test_every_subject_is_seen_through_its_windows(trained: Path) -> None:
    method = Method(windows=3, seconds=0.05, calls=200, warm_up_seconds=0.02, comparable=False)
    setups = [Setup(trained / "model_int8.tflite", "litert"), Setup(trained / "model_int8.onnx", "onnx", batch=4)]
    for measurement, setup in zip(measure(setups, method, workers=[1]), setups, strict=True):
        assert measurement.engine == setup.engine
        assert measurement.start_up.load_ms > 0 < measurement.start_up.first_ms
        assert measurement.start_up.warm_up_calls >= 100
        assert len(measurement.windows) == 3
        for window in measurement.windows:
            assert len(window.end_to_end_ns) == len(window.engine_call_ns) >= 200
            assert window.seconds >= 0.05
            assert window.images == 2 * len(window.end_to_end_ns) * setup.batch
        row = result(measurement)
        assert row["end_to_end"]["calls"] == sum(row["end_to_end"]["histogram"]["counts"])
        assert len(row["end_to_end"]["windows_us"]) == 3
        assert list(measurement.per_second) == ([1] if setup.batch == 1 else [])
        tables = screen([row], method).split("microseconds; ")[0]
        assert max(map(len, tables.splitlines())) <= 80


def test_workers_are_measured_with_one_thread_or_not_at_all() -> None:
    refused(run_here("edgecnn", "bench", "--threads", 2, "--workers", 2), "put 1 in --threads and --batch")
    refused(run_here("edgecnn", "bench", "--batch", "4,8", "--workers", 2), "put 1 in --threads and --batch")


def test_a_summary_is_of_all_windows() -> None:
    """The p50 is the median of the windows' medians: a window that was disturbed does not move it."""
    calm, disturbed = np.arange(1000, 2001), np.arange(9000, 10001)
    latency = summary([calm, calm + 10, disturbed])
    assert latency["windows_us"] == [1.5, 1.51, 9.5]
    assert latency["p50_us"] == 1.51
    assert latency["min_us"] == 1.0
    assert latency["p99.9_us"] > 9.9
    assert latency["spread"] == pytest.approx(8 / 1.51, abs=1e-3)
    assert sum(latency["histogram"]["counts"]) == latency["calls"] == 3003
    assert latency["histogram"]["counts"][-1] in (3, 4)  # the slowest in a thousand lie behind the last edge


CALM = MachineState(Clock("performance", (1800, 1800), 50.0, ()), Ticks(100.0, 10.0, 0.0))


def seen(median_us: float = 20.0, cpu: float = 1.0, **after: object) -> Window:
    """A window of a second, in which a process that is alone took `cpu` of it."""
    ticks = Ticks(100.0 + 1 - cpu, 10.0 + cpu, 0.0)
    moment = replace(replace(CALM, ticks=ticks), **after)
    times = np.full(100, int(1000 * median_us))
    return Window(times, times, 1.0, cpu, 200, None, CALM, moment, None)


@pytest.mark.parametrize(
    ("windows", "reason"),
    [
        ([seen(), seen(21.0)], ""),
        ([seen(), seen(ticks=Ticks(100.0, 11.9, 0.0))], "other processes used 0.90 of a core"),
        ([seen(), seen(ticks=Ticks(100.0, 11.0, 0.3))], "the host gave 0.30 of a core to others"),
        ([seen(), seen(cpu=0.6)], "the process had the CPU only 60% of the time"),
        ([seen(), seen(23.0), seen()], "the medians of the windows differ by 15%"),
        (
            [seen(clock=Clock("powersave", (600, 1800), 50.0, ()))],
            "the clock was at 600 of 1800 MHz (governor powersave)",
        ),
        ([seen(clock=Clock("performance", (1800, 1800), 82.0, ("throttled",)))], "the CPU was held back: throttled"),
    ],
)
def test_a_figure_that_is_worth_nothing_is_called_invalid(windows: list[Window], reason: str) -> None:
    assert reasons(windows) == ((reason,) if reason else ())


def test_a_second_process_on_the_same_core_makes_the_figures_invalid(trained: Path) -> None:
    core = str(min(os.sched_getaffinity(0)))
    burn = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(["taskset", "-c", core, *burn]) as other:
        words = ["taskset", "-c", core, sys.executable, "-m", "edgecnn", "bench", trained / "model_int8.tflite"]
        done = subprocess.run([*words, "--seconds", "1", "--json"], capture_output=True, text=True, check=True)
        other.kill()
    (row,) = json.loads(done.stdout)["results"]
    assert row["verdict"] == "INVALID"
    assert any("other processes used" in why for why in row["reasons"])


def test_energy_is_told_where_there_is_a_counter_and_never_guessed(tmp_path: Path) -> None:
    assert EnergyMeter(tmp_path, lambda: "").joules() is None
    for package, start in ((0, 1_000_000), (1, 5_000_000)):
        (tmp_path / f"sys/class/powercap/intel-rapl:{package}").mkdir(parents=True)
        (tmp_path / f"sys/class/powercap/intel-rapl:{package}/energy_uj").write_text(str(start))
    (tmp_path / "sys/class/powercap/intel-rapl:0:0").mkdir()  # a part of package 0
    meter = EnergyMeter(tmp_path, lambda: "")
    (tmp_path / "sys/class/powercap/intel-rapl:1/energy_uj").write_text("7500000")
    assert meter.joules() == 2.5
    (tmp_path / "sys/class/powercap/intel-rapl:1/energy_uj").write_text("500000")  # it began anew
    assert meter.joules() is None
    (tmp_path / "sys/class/powercap/intel-rapl:1/max_energy_range_uj").write_text("8000000")
    (tmp_path / "sys/class/powercap/intel-rapl:1/energy_uj").write_text("7500000")
    meter = EnergyMeter(tmp_path, lambda: "")
    (tmp_path / "sys/class/powercap/intel-rapl:1/energy_uj").write_text("500000")  # it wrapped, and says at what
    (tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj").write_text("1250000")
    assert meter.joules() == 1.25


def test_the_rails_of_a_raspberry_pi_5_are_added_up(tmp_path: Path) -> None:
    report = """ 3V7_WL_SW_A current(0)=0.10000000A
     VDD_CORE_A current(7)=2.00000000A
     3V7_WL_SW_V volt(8)=3.70000000V
     VDD_CORE_V volt(15)=0.90000000V
     EXT5V_V volt(24)=5.10000000V
    """
    assert watts(report) == pytest.approx(0.37 + 1.8)
    assert watts("command not registered") is None
    joules = EnergyMeter(tmp_path, lambda: report).joules()
    assert joules is not None
    assert 0 <= joules < 2.17


@pytest.mark.slow
def test_an_engine_that_cannot_run_a_file_is_left_out(trained: Path, tmp_path: Path) -> None:
    """tflite-runtime 2.14 does not load what today's converter makes of dynamic quantization."""
    path = tmp_path / "model.tflite"
    assert run("convert.tflite", trained / "model.keras", "--quantize", "dynamic", "--output", path).returncode == 0
    done = run_here("benchmarks.latency", path, "--seconds", 0, "--json")
    assert done.returncode == 0, done.stderr
    assert [row["engine"] for row in json.loads(done.stdout)["results"]] == ["litert"]
    if ENGINES["tflite"].installed:
        assert "left out" in done.stderr
        refused(run_here("benchmarks.latency", path, "--engine", "tflite"), "engines that may: litert")
