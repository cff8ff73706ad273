"""Pack the files of a bundle into one: hashes, version, signature and seal."""

import json
import shutil
from pathlib import Path
from typing import Any

from deploy.index import INDEX, SIGNATURE
from deploy.signature import NAMESPACE
from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256
from edgecnn.programs import run_program
from edgecnn.seal import zip_members

_DATES = ("made", "expires")  # what leaves a version the same one


def packed(files: dict[str, bytes], index: dict[str, Any], key: Path | None) -> bytes:
    """The bytes of a bundle: a ZIP that Python runs, with a seal at its end.

    Args:
        files: by their names in the bundle.
        index: without `version` and `files`, which are computed here.
        key: an SSH private key that signs the index.

    Raises:
        EdgecnnError: there is no such key, or ssh-keygen is missing or fails.
    """
    hashes = {name: sha256(data) for name, data in sorted(files.items())}
    dateless = {key: value for key, value in index.items() if key not in (*_DATES, "version", "files")}
    version = sha256(json.dumps([dateless, hashes], sort_keys=True).encode())[:12]
    index = index | {"version": f"{index['name']}-{version}", "files": hashes}
    text = json.dumps(index, indent=1, sort_keys=True).encode()
    signature = {SIGNATURE: _signature(text, key)} if key else {}
    return zip_members({INDEX: text, **signature, **dict(sorted(files.items()))})


def _signature(text: bytes, key: Path) -> bytes:
    """By ssh-keygen, in the format of allowed_signers files."""
    if not key.exists():
        raise EdgecnnError(f"--sign {key}: there is no such key; ssh-keygen -t ed25519 makes one")
    if not shutil.which("ssh-keygen"):
        raise EdgecnnError("ssh-keygen is missing: apt-get install openssh-client")
    words = ["ssh-keygen", "-Y", "sign", "-f", key, "-n", NAMESPACE, "-"]
    return run_program(*words, failure=f"--sign {key}", input=text.decode()).stdout.encode()
