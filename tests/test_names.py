"""Tensors are traced back to the layers that the user named."""

import pytest

from workstation.layer_names import layer_in, layer_of


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("edge_1/net_1/conv2d._1/Relu;edge_1/net_1/conv2d._1/BiasAdd", "conv2d"),
        ("edge_1/net_1/conv2d_1._1/convolution/ReadVariableOp:0", "conv2d_1"),
        ("edge_1/net_1/sub._1/inner_2._1/BiasAdd", "inner_2"),
        ("edge_1/block.a._2/add", "block.a"),
        ("edge_1/conv.", "conv"),
        ("StatefulPartitionedCall_1:0", None),
        ("serving_default_image:0", None),
        ("const_fold_opt__3", None),
    ],
)
def test_the_layer_of_a_tensor(name: str, layer: str | None) -> None:
    assert layer_of(name) == layer


def test_the_layer_in_an_error() -> None:
    said = (
        'File "/usr/lib/../x.py", line 3: loc("Op:", "edge_1/net_1/shrink._1/resize/Op@__inference_2") at 127.0.0.1:80'
    )
    assert layer_in(said) == "shrink"
    assert layer_in("Nothing is named here. File a.b/c.") is None
