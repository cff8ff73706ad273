"""A small part of tests/fuzz.py."""

import subprocess
import sys
from pathlib import Path


def test_no_file_under_a_valid_seal_crashes_a_command(trained: Path) -> None:
    script = Path(__file__).with_name("fuzz.py")
    words = [sys.executable, script, trained, "--each", "4", "--seed", "1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "52 files, 156 calls, 0 wrong" in done.stdout
