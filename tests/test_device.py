"""A device is described from its files: here those of other machines."""

import subprocess
import sys
from pathlib import Path

import pytest

from edgecnn.clock import Throttling, cpu_ticks
from edgecnn.device import Device, describe, identify
from edgecnn.doctor import _warnings

PI_4 = {
    "proc/cpuinfo": (
        "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n\n"
        "Revision\t: c03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
    ),
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/meminfo": "MemTotal:        3884332 kB\nMemFree:          1 kB\nMemAvailable:    3000000 kB\n",
    "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "600000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000\n",
    "sys/class/thermal/thermal_zone0/type": "gpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "30000\n",
    "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "48686\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0\n",
}


def at(root: Path, files: dict[str, str]) -> Device:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return describe(root)


def test_a_raspberry_pi_is_read(tmp_path: Path) -> None:
    pi = at(tmp_path, PI_4)
    assert (pi.board, pi.cpu, pi.features) == ("Raspberry Pi 4 Model B Rev 1.4", "Cortex-A72", ("NEON",))
    assert (pi.memory_mb, pi.free_mb) == (3793, 2929)
    assert pi.system.startswith("Debian GNU/Linux 12 (bookworm), ")
    assert (pi.governor, pi.mhz, pi.celsius) == ("powersave", (600, 1800), 48.686)
    assert pi.throttling == Throttling(("under-voltage", "throttled"), ("under-voltage", "throttled"))
    assert pi.low_voltage is False


def test_a_warning_names_its_cure(tmp_path: Path) -> None:
    warnings = " ".join(_warnings(at(tmp_path, PI_4)))
    for word in ("power supply is too weak", "being throttled: cool it", "governor is powersave: echo performance"):
        assert word in warnings
    calm = at(tmp_path, PI_4 | {"sys/devices/platform/soc/soc:firmware/get_throttled": "0\n"})
    assert calm.throttling == Throttling((), ())
    before = at(tmp_path, PI_4 | {"sys/devices/platform/soc/soc:firmware/get_throttled": "10000\n"})
    assert "since boot" in _warnings(before)[0]


@pytest.mark.parametrize(
    ("flags", "features"),
    [
        ("Features\t: fp asimd asimdhp asimddp i8mm", ("NEON", "fp16", "dot product", "i8mm")),
        ("Features\t: half neon vfpv4", ("NEON",)),
        ("flags\t\t: sse2 avx2 avx512f avx512_vnni", ("AVX2", "AVX-512", "AVX-512 VNNI")),
    ],
)
def test_features_are_those_that_matter_to_int8(tmp_path: Path, flags: str, features: tuple[str, ...]) -> None:
    assert at(tmp_path, {"proc/cpuinfo": flags + "\n"}).features == features


def test_an_unknown_machine_is_described_by_none(tmp_path: Path) -> None:
    unknown = describe(tmp_path)
    for value in (unknown.board, unknown.memory_mb, unknown.governor, unknown.mhz, unknown.celsius, unknown.throttling):
        assert value is None
    assert _warnings(unknown) == []


def test_a_server_counts_its_throttled_moments(tmp_path: Path) -> None:
    server = at(tmp_path, {"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n"})
    assert server.throttling == Throttling((), ("throttled 3 times",))


def test_this_machine_is_itself() -> None:
    assert identify() == identify()
    assert identify()["cpu"] == describe().cpu
    assert identify()["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"  # a patch makes no other machine
    ticks = cpu_ticks()
    assert ticks is not None
    assert 0 < ticks.busy < ticks.total


def test_a_label_waits_for_nothing_that_only_other_commands_need() -> None:
    late = (
        "edgecnn.device",
        "edgecnn.selection",
        "edgecnn.native_engine",
        "edgecnn.native_library",
        "multiprocessing",
        "sysconfig",
        "ctypes.util",
    )
    run = "import sys, edgecnn.cli as cli; cli.main(['classify']); sys.exit(f'{set(sys.argv[1:]) & set(sys.modules)}')"
    ended = subprocess.run([sys.executable, "-c", run, *late], capture_output=True, text=True, check=False)
    assert ended.stderr == "set()\n"
