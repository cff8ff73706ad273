"""One host of a fleet: run the steps there, and note the outcome. Import it once gevent has patched the process."""

import time
import traceback
from typing import Any

import gevent
from paramiko import SSHException
from pyinfra.api.host import Host

from deploy.outcome import Order, Outcome
from deploy.session import StepError, plain
from deploy.steps import Steps


def deploy(host: Host, order: Order, outcome: Outcome) -> None:
    """Do all steps on a host; whatever goes wrong becomes the outcome's cause."""
    start = time.perf_counter()
    try:
        _deploy(Steps(host, order, outcome), order, outcome)
        outcome.step = "done"
    except StepError as error:
        outcome.cause = plain(str(error))
    except gevent.Timeout:
        outcome.cause = f"no end after {order.timeout:g} s: --timeout allows more"
    except gevent.GreenletExit:
        outcome.cause = "interrupted"
    except (OSError, EOFError, SSHException) as error:
        outcome.cause = plain(f"the connection broke ({error or type(error).__name__}): run it again")
    except Exception as error:  # the other hosts go on
        outcome.cause = plain(f"a fault of edgecnn ({error!r}): please report it with this host's JSON file")
        outcome.fault = traceback.format_exc()
    outcome.seconds, outcome.done = time.perf_counter() - start, True


def _deploy(steps: Steps, order: Order, outcome: Outcome) -> None:
    steps.run("connect")
    if order.rollback:
        outcome.results["rollback"] = steps.run("rollback")
        outcome.changed = True
        return
    try:
        for name in order.steps:
            outcome.results[name] = steps.run(name)
    finally:
        outcome.summary = summary(outcome.results)


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """What the report shows of a host's results; a host may say anything, so texts are escaped and numbers parsed."""
    winner = (results.get("tune") or {}).get("winner")
    rows = [row for run in results.get("bench") or [] for row in run["results"]]
    golden = (results.get("check") or {}).get("golden")
    return {
        "version": plain(str((results.get("install") or results.get("put") or {}).get("version", "–"))),
        "fastest": plain("{model} on {engine}, threads {threads}".format(**winner)) if winner else None,
        "p50_us": min((float(row["end_to_end"]["p50_us"]) for row in rows), default=None),
        "latency": sorted({plain(str(row["verdict"])) for row in rows}),
        "other_labels": sum(int(comparison["changed"]) for comparison in golden) if golden is not None else None,
    }
