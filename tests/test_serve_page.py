"""The page in a browser: what a visitor draws, drops and sees, on a phone and at a desk, light and dark."""

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path

import paper_camera
import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from serving import TOKEN, Server, eventually, serving
from test_commands import DRAWN, digit_file
from test_report import _QUIET, CHROMIUM, DRIVER

pytestmark = pytest.mark.slow

SEVEN = [(-70, -80), (70, -80), (-10, 90)]  # pixels from the middle of the board
SHOTS = os.environ.get("SCREENSHOTS")  # a folder that gets what the browser shows


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    if not (Path(CHROMIUM).exists() and Path(DRIVER).exists()):
        pytest.skip("needs Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for word in _QUIET:
        options.add_argument(word)
    with webdriver.Chrome(options, webdriver.ChromeService(DRIVER)) as driver:
        yield driver


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose camera is the tests' own program."""
    folder = tmp_path_factory.mktemp("page")
    paper_camera.install(folder)
    path = {"PATH": f"{folder}:{os.environ['PATH']}"}
    with serving(folder, "--camera", "csi", env=path) as running:
        yield running


def visit(browser: webdriver.Chrome, url: str, width: int, scheme: str) -> None:
    """Open the page in a window so wide."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get("about:blank")
    browser.get(url)
    eventually(lambda: text(browser, "state") == "ready" or browser.find_element(By.ID, "ask").is_displayed())


def part(browser: webdriver.Chrome, name: str) -> WebElement:
    return browser.find_element(By.ID, name)


def text(browser: webdriver.Chrome, name: str) -> str:
    return part(browser, name).text


def draw(browser: webdriver.Chrome, corners: list[tuple[int, int]]) -> None:
    """Draw a line on the board with the mouse."""
    canvas, mouse = part(browser, "canvas"), ActionChains(browser, duration=120)
    mouse.move_to_element_with_offset(canvas, *corners[0]).click_and_hold()
    for corner in corners[1:]:
        mouse.move_to_element_with_offset(canvas, *corner)
    mouse.release().perform()


def drop(browser: webdriver.Chrome, file: Path) -> None:
    """Drop a file on the page."""
    octets = base64.b64encode(file.read_bytes()).decode()
    browser.execute_script(
        """const bytes = Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], arguments[1], {type: "image/png"}));
        dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, cancelable: true}));""",
        octets,
        file.name,
    )


def keep(browser: webdriver.Chrome, name: str) -> None:
    """Keep a picture of the whole page where SCREENSHOTS says so."""
    if SHOTS:
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        (Path(SHOTS) / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_a_visitor_watches_draws_and_drops(
    browser: webdriver.Chrome, server: Server, tmp_path: Path, width: int, scheme: str
) -> None:
    browser.get_log("browser")
    visit(browser, server.url, width, scheme)
    eventually(lambda: part(browser, "over").is_displayed())
    first = text(browser, "camera-words")
    eventually(lambda: text(browser, "camera-words") != first)
    assert browser.execute_script("return document.getElementById('view').naturalWidth") > 0
    keep(browser, f"camera-{width}-{scheme}")

    part(browser, "tab-draw").click()
    draw(browser, SEVEN)
    eventually(lambda: text(browser, "label") == "7")
    assert re.search(r"\d % sure, answered in .* ms", text(browser, "words"))
    eventually(lambda: text(browser, "bars").split()[:1] == ["7"])  # a later answer draws them anew
    eventually(lambda: "ms" in text(browser, "facts"))
    keep(browser, f"draw-{width}-{scheme}")
    part(browser, "clear").click()
    assert text(browser, "label") == "–"

    drop(browser, digit_file(tmp_path))
    eventually(lambda: text(browser, "label") == DRAWN)
    keep(browser, f"picture-{width}-{scheme}")
    (tmp_path / "torn.png").write_bytes(b"no picture")
    drop(browser, tmp_path / "torn.png")
    eventually(lambda: "format that Pillow does not know" in text(browser, "wrong"))

    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert [line for line in browser.get_log("browser") if "Security" in line["message"]] == []
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert all(name.startswith((server.url, "data:", "blob:")) for name in loaded)
    facts = text(browser, "facts")
    for words in ("Tells apart", "10 kinds", "99.6 %", "Time for an answer here", "28 × 28 grey pixels"):
        assert words in facts


def test_it_is_dark_in_the_dark(browser: webdriver.Chrome, server: Server) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        visit(browser, server.url, 1400, scheme)
        colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        brightness[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
    assert brightness["dark"] < 150
    assert brightness["light"] > 600


def test_the_page_asks_for_the_token(browser: webdriver.Chrome, tmp_path: Path) -> None:
    with serving(tmp_path, env={"EDGECNN_TOKEN": TOKEN}) as server:
        visit(browser, server.url, 400, "light")
        assert part(browser, "ask").is_displayed()
        keep(browser, "token-400-light")
        part(browser, "token").send_keys("not-the-right-token")
        part(browser, "enter").click()
        eventually(lambda: part(browser, "ask").is_displayed())
        part(browser, "token").send_keys(TOKEN)
        part(browser, "enter").click()
        eventually(lambda: text(browser, "name") == "mnist")
        browser.execute_script("sessionStorage.clear()")
        visit(browser, f"{server.url}#token={TOKEN}", 400, "light")
        eventually(lambda: text(browser, "name") == "mnist")
        assert TOKEN not in browser.current_url
