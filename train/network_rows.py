"""Networks by name: a new one is a function in `workstation.architectures`, named alike, and a row here."""

from dataclasses import dataclass

REFERENCE, AUTO = "reference", "auto"
_SMALL = 48  # pixels: on larger images a network must soon halve them
_MANY = 2000  # images: fewer do not fill the larger MobileNet


@dataclass(frozen=True)
class NetworkRow:
    """A network of `python -m train --network`, and what it takes for an image of `shape` and ten classes."""

    name: str
    shape: tuple[int, int, int]
    parameters: int
    macs: int  # multiply-accumulates of an image
    width: float | None = 1.0  # the channels, if the option does not say; None: there is but one width
    signed: bool = False  # its pixels run from -1 to 1, as `keras.applications` feeds it

    @property
    def size(self) -> str:
        """What it takes, in words."""
        width = f" {self.width:g}" if self.width not in (None, 1.0) else ""
        numbers = f"{self.parameters / 1e3:.0f} k parameters, {self.macs / 1e6:.1f} M multiply-accumulates"
        return f"{self.name}{width}: {numbers} at {'x'.join(map(str, self.shape))}"


_ROWS = (
    NetworkRow(REFERENCE, (28, 28, 1), 93_322, 2_378_368, width=None),
    NetworkRow("resnet8", (32, 32, 3), 78_714, 12_501_632),
    NetworkRow("ds_cnn", (28, 28, 1), 22_666, 3_864_192),
    NetworkRow("mobilenet_v1", (96, 96, 3), 221_114, 7_491_712, width=0.25, signed=True),
    NetworkRow("mobilenet_v2", (96, 96, 3), 423_018, 10_666_928, width=0.35, signed=True),
)
NETWORKS = {row.name: row for row in _ROWS}


def preferred(sides: tuple[int, ...], images: int) -> list[tuple[str, float]]:
    """Names and widths in the order in which `auto` tries them: the first within the budget is taken.

    Args:
        sides: height and width of the images, pixels.
        images: for the training.
    """
    tiny = [("ds_cnn", 1.0), ("ds_cnn", 0.5), ("ds_cnn", 0.25), ("ds_cnn", 0.125)]
    if min(sides) <= _SMALL:
        return [("resnet8", 1.0), ("resnet8", 0.75), ("resnet8", 0.5), *tiny]
    larger = [("mobilenet_v2", 0.35)] if images >= _MANY else []
    return [*larger, ("mobilenet_v1", 0.25), *tiny]
