"""The Python and the machine that run here, as bundles name them: one JSON document with the path of a folder.

A fleet sends this file to each host and runs it there: `python3 -c SOURCE FOLDER`. `edgecnn.architecture` has the same
rule for 32-bit systems; this file must run before edgecnn is installed.
"""

# Python 3.7 reads this too, to say that it is too old.
import json
import os
import platform
import struct
import sys
from typing import Dict


def description() -> Dict[str, str]:
    """Python's version and the machine; 32-bit Python on a 64-bit kernel is for 32-bit wheels."""
    machine = platform.machine()
    if struct.calcsize("P") == 4:
        machine = {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}.get(machine, machine)
    return {"python": "{}.{}".format(*sys.version_info[:2]), "machine": machine}


if __name__ == "__main__":
    home = os.path.abspath(os.path.expanduser(sys.argv[1]))
    print(json.dumps(dict(description(), home=home)))
