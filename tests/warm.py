"""A process that has TensorFlow loaded and forks for every command: python tests/warm.py SOCKET.

A command on a tiny model spends most of its seconds on loading TensorFlow, and the tests run a hundred such commands.
Here they run as by `python -m`, and files as by `python FILE`: with their own process, words, environment and streams.
"""

import json
import os
import resource
import runpy
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def load() -> None:
    """Load the slow modules that all commands share; nothing may be computed, or a fork would miss its threads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import sklearn.datasets  # noqa: F401
    import tensorflow  # noqa: F401


def serve(path: str) -> None:
    """Answer requests until the socket is gone: words and environment as JSON, with stdout and stderr."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        while True:
            client, _ = server.accept()
            with client:
                message, streams, _, _ = socket.recv_fds(client, 1 << 20, 2)
                child = os.fork()
                if child == 0:
                    os._exit(_run(json.loads(message), streams))
                for stream in streams:
                    os.close(stream)
                _, status = os.waitpid(child, 0)
                client.send(str(os.waitstatus_to_exitcode(status)).encode())


def _run(request: dict[str, Any], streams: list[int]) -> int:
    """In the child: become the command; returns its exit status."""
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, stream in zip((1, 2), streams, strict=True):
        os.dup2(stream, number)
    if request["file_size"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_size"], request["file_size"]))
    name = request["words"][0]
    sys.argv[:] = request["words"]
    try:
        if name.endswith(".py"):
            sys.path.insert(0, str(Path(name).parent))
            runpy.run_path(name, run_name="__main__")
        else:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    os.chdir(ROOT)
    load()
    serve(sys.argv[1])
