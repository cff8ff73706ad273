"""The networks of the suite; a new one is a row of `NETWORKS`. Building one loads Keras."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SuiteNetwork:
    """A network of the suite."""

    name: str  # on the command line
    title: str  # in tables
    build: Callable[[], Any]  # a Keras model with new weights


def _own(name: str, shape: tuple[int, ...], *sizes: Any) -> Callable[[], Any]:
    """A network of `workstation.architectures`; `sizes`: classes, and what else its function takes."""

    def build() -> Any:
        from workstation import architectures

        return getattr(architectures, name)(shape, *sizes)

    return build


def _of_keras(name: str, side: int, width: float, classes: int) -> Callable[[], Any]:
    """A network of `keras.applications`, as people bring it: its padding is a layer of its own."""

    def build() -> Any:
        import keras

        return getattr(keras.applications, name)((side, side, 3), alpha=width, weights=None, classes=classes)

    return build


NETWORKS = {
    network.name: network
    for network in (
        SuiteNetwork("reference", "reference, 28x28x1", _own("reference_cnn", (28, 28, 1), 10)),
        SuiteNetwork(
            "narrow", "reference with 8, 16, 16, 32 channels", _own("reference_cnn", (28, 28, 1), 10, (8, 16, 16, 32))
        ),
        SuiteNetwork("resnet8", "ResNet-8, 32x32x3", _own("resnet8", (32, 32, 3), 10)),
        SuiteNetwork("ds_cnn", "DS-CNN, 49x10x1", _own("ds_cnn", (49, 10, 1), 12)),
        SuiteNetwork("mobilenet_v1", "MobileNetV1 0.25, 96x96x3", _of_keras("MobileNet", 96, 0.25, 2)),
        SuiteNetwork("mobilenet_v2", "MobileNetV2 0.35, 96x96x3", _of_keras("MobileNetV2", 96, 0.35, 10)),
        SuiteNetwork("mobilenet_v2_160", "MobileNetV2 1.0, 160x160x3", _of_keras("MobileNetV2", 160, 1.0, 10)),
    )
}
