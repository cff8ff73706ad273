"""Channels are removed from any classifier, and what is left answers as before where nothing listened to them."""

import json

import pytest
from conftest import ROOT, run

NETWORKS = ["reference", "resnet8", "ds_cnn", "mobilenet_v1", "mobilenet_v2", "joined", "nested", "swish", "hard_swish"]


@pytest.mark.slow
def test_removing_what_nothing_reads_changes_no_output() -> None:
    """Residual, depthwise and separable networks, branches, squeeze-and-excite, models inside, a flatten, a reshape.

    Half of the channels are removed; what they cost is what Keras counts.
    """
    done = run(ROOT / "tests/shrink_exact.py", *NETWORKS)
    assert done.returncode == 0, done.stderr
    documents = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [document["network"] for document in documents] == NETWORKS
    for document in documents:
        assert document["flattened"] == 0
        assert document["off"] < 1e-5 < document["spread"], document
        counted, small, whole = document["parameters"]
        assert counted == small < 0.6 * whole
        counted, small, whole = document["macs"]
        assert counted == small < 0.6 * whole
