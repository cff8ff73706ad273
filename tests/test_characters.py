"""A digit is read from a photograph; what shows no character is unknown."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from conftest import run
from PIL import Image, ImageDraw, ImageFilter

from edgecnn import Classifier
from edgecnn.answering import Answering
from edgecnn.classifier import Prediction
from edgecnn.components import components
from edgecnn.images import frame_character
from edgecnn.manifest import CharacterFrame
from edgecnn.morphology import closed, line_opened, opened
from edgecnn.prediction import Output
from train.datasets import digits

WIDTH, HEIGHT = 480, 360
PAPER, PEN = 235.0, 40.0

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture(scope="module")
def written(classifier: Classifier) -> list[tuple[str, Pixels]]:
    """Two digits of each class that the network knows, with their labels."""
    data, chosen = digits(), list[tuple[str, Pixels]]()
    for image, label in zip(data.test_images, data.test_labels, strict=True):
        name = str(label)
        if sum(name == other for other, _ in chosen) < 2 and classifier.predict(image).probabilities[label] > 0.95:
            chosen.append((name, image[..., 0]))
    assert len(chosen) == 20
    return chosen


def stroke(digit: Pixels, side: int = 150, at: tuple[int, int] = (WIDTH // 2, HEIGHT // 2)) -> Floats:
    """The share of ink, 0 to 1, of a digit on a sheet, with sharp edges."""
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    sheet = Image.new("L", (WIDTH, HEIGHT))
    sheet.paste(large, (at[0] - side // 2, at[1] - side // 2))
    return ((np.asarray(sheet, np.float32) - 100) / 55).clip(0, 1)


def drawing(draw: Callable[[ImageDraw.ImageDraw], None], blur: float = 0) -> Floats:
    """The share of ink of a drawing."""
    sheet = Image.new("L", (WIDTH, HEIGHT))
    draw(ImageDraw.Draw(sheet))
    return np.asarray(sheet.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255


def inked(ground: Floats | float, ink: Floats, level: float = PEN) -> Floats:
    return np.asarray(ground * (1 - ink) + level * ink, np.float32)


def photographed(picture: Floats) -> Pixels:
    """With the noise of a camera."""
    noise = np.random.default_rng(0).normal(0, 3, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8)


def rules(step: int, slope: float, squared: bool = False) -> Floats:
    def draw(sheet: ImageDraw.ImageDraw) -> None:
        for place in range(-WIDTH, 2 * WIDTH, step):
            sheet.line((0, place, WIDTH, place + slope * WIDTH), 255, 2)
            if squared:
                sheet.line((place, 0, place - slope * HEIGHT, HEIGHT), 255, 2)

    return drawing(draw)


def desk() -> Floats:
    """1 on a sheet that lies on a desk."""
    return drawing(lambda sheet: sheet.polygon([(60, 25), (430, 40), (420, 340), (45, 330)], 255), 1)


def slope_of_light() -> Floats:
    return np.linspace(0.4, 1, WIDTH, dtype=np.float32)[np.newaxis] * np.linspace(0.8, 1, HEIGHT)[:, np.newaxis]


def shadow() -> Floats:
    return 1 - 0.5 * drawing(lambda sheet: sheet.polygon([(200, 0), (480, 0), (480, 360), (260, 360)], 255), 5)


def specks() -> Floats:
    places = np.random.default_rng(1).integers(0, (WIDTH, HEIGHT), (25, 2))
    return drawing(lambda sheet: [sheet.ellipse((x, y, x + 4, y + 4), 255) for x, y in places] and None)


BOX = drawing(lambda sheet: sheet.rectangle((140, 75, 340, 285), outline=255, width=4))
CIRCLE = drawing(lambda sheet: sheet.ellipse((115, 55, 365, 305), outline=255, width=7))
KINDS: dict[str, Callable[[Pixels], Floats]] = {
    "on paper": lambda digit: inked(PAPER, stroke(digit)),
    "pencil": lambda digit: inked(PAPER, stroke(digit), 185),
    "chalk": lambda digit: inked(50, stroke(digit), 210),
    "ruled": lambda digit: inked(inked(PAPER, rules(36, 0.04), 160), stroke(digit)),
    "squared": lambda digit: inked(inked(PAPER, rules(24, 0.05, squared=True), 170), stroke(digit)),
    "on a desk": lambda digit: inked(inked(60, desk(), PAPER), stroke(digit)),
    "uneven light": lambda digit: inked(PAPER, stroke(digit)) * slope_of_light(),
    "shadow": lambda digit: inked(PAPER, stroke(digit)) * shadow(),
    "in a box": lambda digit: inked(PAPER, np.maximum(BOX, stroke(digit))),
    "in a circle": lambda digit: inked(PAPER, np.maximum(CIRCLE, stroke(digit))),
    "specks": lambda digit: inked(inked(PAPER, specks(), 90), stroke(digit)),
    "in a corner": lambda digit: inked(PAPER, stroke(digit, 60, (400, 60))),
    "neighbours": lambda digit: inked(
        PAPER, np.maximum(stroke(digit), stroke(digit.T, 150, (70, 175)) + stroke(digit.T, 150, (410, 185)))
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_photographed_digit_is_read(classifier: Classifier, written: list[tuple[str, Pixels]], kind: str) -> None:
    answers = [(label, classifier.classify(photographed(KINDS[kind](digit))).label) for label, digit in written]
    wrong = [pair for pair in answers if pair[0] != pair[1]]
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("pen", [3, 4, 6, 12, 24, 40])
def test_a_pen_of_any_width_draws_a_seven(classifier: Classifier, pen: int) -> None:
    ink = drawing(lambda sheet: sheet.line([(150, 60), (330, 60), (225, 310)], 255, pen, joint="curve"))
    assert classifier.classify(inked(250, ink, 20).astype(np.uint8)).label == "7"


def test_the_lines_around_hollow_strokes_are_read(classifier: Classifier) -> None:
    outer = np.array([(150, 60), (330, 60), (330, 80), (240, 310), (210, 310), (296, 88), (150, 88), (150, 60)])
    ink = drawing(lambda sheet: sheet.line([tuple(corner) for corner in outer], 255, 4, joint="curve"))
    assert classifier.classify(inked(250, ink, 20).astype(np.uint8)).label == "7"


NOTHING = {
    "paper": np.full((HEIGHT, WIDTH), PAPER, np.float32),
    "in the dark": np.full((HEIGHT, WIDTH), 20, np.float32),
    "uneven light": PAPER * slope_of_light(),
    "ruled": inked(PAPER, rules(36, 0.04), 160),
    "squared": inked(PAPER, rules(24, 0.05, squared=True), 170),
    "noise": np.random.default_rng(2).uniform(0, 255, (HEIGHT, WIDTH)).astype(np.float32),
    "a desk": inked(60, desk(), PAPER),
}


@pytest.mark.parametrize("kind", NOTHING)
def test_a_picture_without_a_character_is_unknown(classifier: Classifier, kind: str) -> None:
    prediction = classifier.classify(photographed(NOTHING[kind]))
    assert (prediction.label, prediction.labels, prediction.probability) == ("unknown", (), 0)
    assert not prediction.is_known


def test_the_commands_say_unknown_of_a_blank_picture(
    tmp_path: Path, classifier: Classifier, written: list[tuple[str, Pixels]]
) -> None:
    from edgecnn.frames import frame_of
    from edgecnn.images import read_image

    blank, drawn = tmp_path / "blank.png", tmp_path / "drawn.png"
    Image.fromarray(photographed(NOTHING["paper"])).save(blank)
    Image.fromarray(photographed(KINDS["ruled"](written[3][1]))).save(drawn)
    done = run("edgecnn", "classify", blank, drawn, "--json")
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert (first["image"], first["label"], first["probability"]) == (str(blank), "unknown", 0.0)
    assert second["label"] == written[3][0]
    for path, document in ((blank, first), (drawn, second)):
        frame = frame_of(path.name, read_image, path, classifier.manifest.input)
        message = Answering(classifier, "folder").message(frame)
        assert (message["label"], message["probability"]) == (document["label"], document["probability"])


def test_a_path_an_image_and_pixels_get_the_same_answer(
    tmp_path: Path, classifier: Classifier, written: list[tuple[str, Pixels]]
) -> None:
    label, digit = written[0]
    upright = photographed(KINDS["in a box"](digit))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    lying = Image.fromarray(np.rot90(upright).copy())
    lying.save(tmp_path / "lying.png", exif=exif)
    pictures = (upright, np.stack([upright] * 3, axis=-1), tmp_path / "lying.png", Image.open(tmp_path / "lying.png"))
    answers = [classifier.classify(picture) for picture in pictures]
    assert {prediction.label for prediction in answers} == {label}
    assert len({prediction.probability for prediction in answers}) == 1


def test_a_character_fills_the_frame_of_any_model() -> None:
    ink = drawing(lambda sheet: sheet.line([(100, 60), (100, 300), (200, 300)], 255, 14))  # an L
    framed = frame_character(photographed(inked(PAPER, ink)), CharacterFrame(box=44), (64, 56))
    rows, columns = (np.flatnonzero((framed > 30).any(axis)) for axis in (1, 0))
    assert framed.shape == (64, 56)
    assert abs(np.ptp(rows) + 1 - 44) <= 2
    assert abs(np.ptp(columns) + 1 - 44 * 114 / 247) <= 2
    assert framed[rows[5], columns[0] : columns[0] + 2].min() > 200
    assert framed[rows[5], columns[-1]] == 0


@pytest.mark.parametrize("output", ["probabilities", "logits", "sigmoids"])
def test_the_mean_of_predictions_is_that_of_their_probabilities(classifier: Classifier, output: str) -> None:
    import dataclasses

    tensor = dataclasses.replace(classifier._output.tensor, dtype=np.dtype(np.float32), scale=1.0, zero_point=0)
    manifest = dataclasses.replace(classifier.manifest, output=output)
    values = np.random.default_rng(0).dirichlet(np.ones(10), 3).astype(np.float32)
    predictions = [Prediction(int(row.argmax()), row.tobytes(), Output(tensor, manifest, 0.0)) for row in values]
    mean = Prediction.mean(predictions)
    expected = np.mean([prediction.probabilities for prediction in predictions], axis=0)
    assert mean.probabilities == pytest.approx(expected, abs=1e-6)
    assert mean.index == expected.argmax()


@pytest.mark.parametrize("share", [0, 0.05, 0.3, 0.45, 0.6, 0.95, 1])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (37, 41)])
def test_components_are_those_of_opencv(shape: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(0).random(shape) < share
    mine = components(mask)
    number, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    assert len(mine.boxes) == number
    pairs = {(int(one), int(other)) for one, other in zip(mine.labels.ravel(), labels.ravel(), strict=True)}
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
    for one, other in pairs - {(0, 0)}:
        left, top, width, height, _ = stats[other]
        assert mine.boxes[one].tolist() == [top, left, top + height, left + width]


@pytest.mark.parametrize("window", [(3, 3), (1, 5), (7, 3)])
def test_morphology_is_that_of_opencv(window: tuple[int, int]) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    rows, columns = window
    padded = np.pad(grey, 9, mode="edge")
    for mine, operation in ((closed, cv2.MORPH_CLOSE), (opened, cv2.MORPH_OPEN)):
        expected = cv2.morphologyEx(padded, operation, np.ones(window, np.uint8))[9:-9, 9:-9]
        assert (mine(grey, rows, columns) == expected).all()


def test_only_long_lines_survive_the_opening_by_a_line() -> None:
    grey = np.zeros((30, 60), np.uint8)
    grey[10, 5:50] = 200
    grey[20, 5:20] = 200
    assert (line_opened(grey, 32, 0)[10, 5:50] == 200).all()
    assert not line_opened(grey, 32, 0)[20].any()


@pytest.mark.parametrize("drift", [-8, -3, 0, 1, 8])
def test_a_line_of_a_slope_survives_the_opening_by_it(drift: int) -> None:
    columns = np.arange(64)
    grey = np.zeros((60, 64), np.uint8)
    for thick in range(3):
        grey[np.floor(30.5 + thick + drift / 32 * (columns - 32)).astype(int), columns] = 200
    assert (line_opened(grey, 32, drift) > 0).any(axis=0).all()
    assert not line_opened(grey, 32, drift + 8)[:, 31:33].any()  # at its sides a line leaves the picture
