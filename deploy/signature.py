"""The signature of a bundle's index, checked by ssh-keygen (ssh-keygen(1), ALLOWED SIGNERS)."""

# Python 3.7 reads this too, to say that it is too old.
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Optional

from deploy.index import SIGNATURE, InstallError

NAMESPACE = "edgecnn-bundle"  # of signatures


def check_signature(path: Path, index: bytes, signature: Optional[bytes], signers: Path) -> None:
    """Check that somebody whom the file `signers` names has signed the index of the bundle at `path`.

    Raises:
        InstallError: there is no signature, it is of nobody there or of other bytes, or ssh-keygen is missing.
    """
    if signature is None:
        raise InstallError("{} is not signed, and {} asks for a signature".format(path, signers))
    if not shutil.which("ssh-keygen"):
        raise InstallError("ssh-keygen is missing, which checks signatures: apt-get install openssh-client")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / SIGNATURE
        file.write_bytes(signature)
        signer = _signer(file, signers)
        if not signer or not _is_valid(file, signers, signer, index):
            raise InstallError("{} is not signed by anyone whom {} names".format(path, signers))


def _signer(file: Path, signers: Path) -> str:
    """Whose key a signature is of, as `signers` names the person; empty for an unknown key."""
    words = ["ssh-keygen", "-Y", "find-principals", "-f", str(signers), "-s", str(file)]
    output = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    names = os.fsdecode(output).splitlines()
    return names[0] if names else ""


def _is_valid(file: Path, signers: Path, signer: str, index: bytes) -> bool:
    words = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", signer, "-n", NAMESPACE, "-s", str(file)]
    out = subprocess.DEVNULL
    return subprocess.run(words, input=index, stdout=out, stderr=out, check=False).returncode == 0
