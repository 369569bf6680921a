"""report.html in a real Chromium without a network, with 400 made-up predictions of two networks."""

import base64
import io
import json
import re
import shutil
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from core.files.arrays import Split
from stages.download import garments
from stages.render.__main__ import main
from tests.conftest import ROOT
from tests.stages.render.test_main import INPUTS, OUTPUTS

HOSTILE = "<img src=x onerror=alert(1)>"
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", HOSTILE]
BAG, LAST = 8, 9

NO_BROWSER = "report.html was tested in no browser, because chromium and chromedriver are not installed"
pytestmark = pytest.mark.filterwarnings(f"default:{NO_BROWSER}")


def predictions() -> tuple[Split, np.ndarray]:
    """Return 400 test images and the probabilities of two networks: often right, wrong in many cells."""
    images, labels = garments.draw(400, seed=0, split="test")
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (2, 400, 10)) + random.normal(0, 1.5, (400, 10)) + 3.5 * np.eye(10)[labels]
    exponentials = np.exp(logits)
    probabilities = (exponentials / exponentials.sum(axis=2, keepdims=True)).astype(np.float32)
    return Split(images.astype(np.float32) / np.float32(255), labels), probabilities


TEST, PROBABILITIES = predictions()
ENSEMBLE = PROBABILITIES.mean(axis=0)
PREDICTED, CONFIDENCE = ENSEMBLE.argmax(axis=1), ENSEMBLE.max(axis=1)
SCREENSHOTS = ROOT / "build/screenshots"  # where CI keeps them


def cell(true: int, named: int) -> list[int]:
    """Return the indices of the images in a cell, most confident first."""
    indices = [i for i in range(400) if (TEST.labels[i], PREDICTED[i]) == (true, named)]
    return sorted(indices, key=lambda i: -CONFIDENCE[i])


# The list without filters: all mistakes, and 20 correct images of each class.
ALL = sorted(
    [i for t in range(10) for p in range(10) for i in (cell(t, p)[-20:] if t == p else cell(t, p))],
    key=lambda i: -CONFIDENCE[i],
)
MOST = max(((t, p) for t in range(10) for p in range(10) if t != p), key=lambda pair: len(cell(*pair)))


def written(folder: Path, write_inputs, images: np.ndarray) -> str:
    """Return the address of a report.html about other images with the same predictions, made by the stage."""
    split = Split(images, TEST.labels)
    write_inputs(folder, CLASSES, split, split, PROBABILITIES)
    params = json.loads((folder / "params.yaml").read_text(encoding="utf-8"))
    params["render"] |= {"mistakes": 15, "dpi": 100}
    (folder / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(*map(Path, INPUTS + OUTPUTS))
    return (folder / "reports/report.html").as_uri()


@pytest.fixture(scope="module")
def page(tmp_path_factory, write_inputs) -> str:
    return written(tmp_path_factory.mktemp("report"), write_inputs, TEST.images)


@pytest.fixture(scope="module")
def browser():
    """A Chromium that reaches this machine alone, shared by all tests."""
    browser, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not (browser and driver):
        warnings.warn(NO_BROWSER, stacklevel=1)
        pytest.skip(NO_BROWSER)
    options = ChromeOptions()
    options.binary_location = browser
    arguments = ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars")
    for argument in (*arguments, "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "localhost,127.0.0.1")  # otherwise the user's proxy gets the requests to the driver
        chrome = Chrome(options, ChromeService(driver))
        try:
            yield chrome
        finally:
            chrome.quit()


@pytest.fixture
def report(browser, page):
    """The report as it opens in a window of ordinary size."""
    look_at(browser, 1600, 1000)
    return opened(browser, page)


def opened(browser: Chrome, address: str) -> Chrome:
    browser.get("about:blank")  # a new fragment alone does not load the page again
    browser.get(address)
    wait(browser, lambda: status(browser))
    return browser


def look_at(browser: Chrome, width: int, height: int, scheme: str = "light", media: str = "") -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def wait(browser: Chrome, condition) -> None:
    WebDriverWait(browser, 10, poll_frequency=0.02).until(lambda _: condition())


def status(browser: Chrome) -> str:
    return browser.find_element(By.CLASS_NAME, "status").get_attribute("textContent")


def listed(browser: Chrome) -> list[int]:
    """Return the indices of the images in the list, in its order."""
    names = browser.execute_script("return [...document.querySelectorAll('.images .index')].map((e) => e.textContent)")
    return [int(name.removeprefix("Test image ")) for name in names]


def link(browser: Chrome, true: int, named: int):
    return browser.find_element(By.CSS_SELECTOR, f".matrix a[href^='#true={true}&predicted={named}&']")


def choose(browser: Chrome, name: str, text: str) -> None:
    Select(browser.find_element(By.NAME, name)).select_by_visible_text(text)


def enter(browser: Chrome, name: str, text: str) -> None:
    field = browser.find_element(By.NAME, name)
    field.clear()
    field.send_keys(text, Keys.ENTER)


def test_the_page_needs_no_network_and_logs_no_error(report):
    asked = report.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    images = report.execute_script("return [...document.images].map((i) => i.complete && i.naturalWidth > 0)")

    assert [name for name in asked if not name.startswith("data:")] == []
    assert len(images) > 10 and all(images)
    assert listed(report) == ALL
    assert report.get_log("browser") == []


def test_a_cell_lists_all_its_mistakes_or_its_twenty_least_confident_images_and_back_leads_to_the_view_before(report):
    mistakes, correct = cell(*MOST), cell(BAG, BAG)
    assert len(mistakes) > 3 and len(correct) > 20
    assert link(report, *MOST).text == str(len(mistakes))

    link(report, *MOST).click()
    wait(report, lambda: status(report) == f"{len(mistakes)} of {len(mistakes)} images in this cell")
    assert listed(report) == mistakes
    assert link(report, *MOST).get_attribute("aria-current") == "true"
    link(report, BAG, BAG).click()
    wait(report, lambda: status(report) == f"20 of {len(correct)} images in this cell")
    assert listed(report) == correct[::-1][:20]
    report.back()
    wait(report, lambda: listed(report) == mistakes)
    report.back()
    wait(report, lambda: listed(report) == ALL)


def test_an_image_has_its_class_its_probabilities_and_the_votes_of_the_networks(browser, page):
    report = opened(browser, f"{page}#true={MOST[0]}&predicted={MOST[1]}")
    index = cell(*MOST)[0]
    card = report.find_element(By.CSS_SELECTOR, ".images > li")
    votes = Counter(PROBABILITIES[:, index].argmax(axis=1).tolist())
    order = np.argsort(-ENSEMBLE[index])

    lines = card.text.splitlines()
    assert lines[:3] == [
        f"Test image {index}",
        f"{CLASSES[MOST[1]]} instead of {CLASSES[MOST[0]]}",
        "Votes: " + ", ".join(f"{votes[c]} {CLASSES[c]}" for c in sorted(votes, key=lambda c: (-votes[c], c))),
    ]
    shown = [c for place, c in enumerate(order) if place < 3 or c == MOST[0]]
    assert lines[3:-1] == [text for c in shown for text in (CLASSES[c], f"{ENSEMBLE[index, c]:.4f}")]

    card.find_element(By.TAG_NAME, "summary").click()
    wait(report, lambda: len(card.find_elements(By.CSS_SELECTOR, ".bars li")) == 10)
    names = {bar.find_element(By.CLASS_NAME, "class").text: bar for bar in card.find_elements(By.CSS_SELECTOR, "li")}
    assert set(names) == set(CLASSES)
    assert [names[CLASSES[c]].get_attribute("class") for c in MOST] == ["true", "wrong"]
    track, fill = (names[CLASSES[MOST[1]]].find_element(By.CSS_SELECTOR, css).rect for css in (".track", ".track span"))
    assert fill["width"] / track["width"] == pytest.approx(CONFIDENCE[index], abs=0.01)


def pixels(report: Chrome) -> np.ndarray:
    """Return the red, green and blue of each listed image, uint8 (n, height, width, 3)."""
    data = report.execute_script(
        """
        return [...document.querySelectorAll(".images canvas")].map((canvas) => [
          ...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data,
        ]);
        """
    )
    return np.uint8(data).reshape(len(data), 28, 28, 4)[..., :3]


def test_the_pixels_of_each_listed_image_are_its_own(report):
    assert (pixels(report) == 255 - np.rint(TEST.images[ALL] * 255)[..., None]).all()


def test_images_in_colour_are_shown_in_colour(browser, tmp_path, write_inputs):
    images, _ = garments.draw(400, seed=0, split="test", colour=True)

    report = opened(browser, written(tmp_path, write_inputs, images.astype(np.float32) / 255))

    assert listed(report) == ALL
    source = report.find_element(By.CLASS_NAME, "sprite").get_attribute("src")
    assert source.startswith("data:image/jpeg;base64,/9j/")
    assert np.abs(pixels(report).astype(int) - images[ALL]).mean(axis=(1, 2, 3)).max() < 6
    assert report.get_log("browser") == []


def test_filters_select_and_order_the_list(report):
    choose(report, "true", "Bag")
    wait(report, lambda: listed(report) == [i for i in ALL if TEST.labels[i] == BAG])
    choose(report, "result", "wrong")
    wrong = [i for i in ALL if TEST.labels[i] == BAG != PREDICTED[i]]
    wait(report, lambda: listed(report) == wrong)
    middle = float(np.median(CONFIDENCE[wrong]).round(3))
    enter(report, "from", str(middle))
    wait(report, lambda: listed(report) == [i for i in wrong if CONFIDENCE[i] >= middle])
    assert 0 < len(listed(report)) < len(wrong)
    enter(report, "from", "")
    enter(report, "to", str(middle))
    wait(report, lambda: listed(report) == [i for i in wrong if CONFIDENCE[i] <= middle])
    assert status(report) == f"{len(listed(report))} of {len(ALL)} listed images (400 tested)"

    report.find_element(By.LINK_TEXT, "Show all").click()
    wait(report, lambda: listed(report) == ALL)
    choose(report, "sort", "lowest index")
    wait(report, lambda: listed(report) == sorted(ALL))
    choose(report, "sort", "least confident")
    wait(report, lambda: listed(report) == ALL[::-1])
    choose(report, "predicted", "Bag")
    choose(report, "result", "correct")
    wait(report, lambda: listed(report) == cell(BAG, BAG)[-20:][::-1])


def test_the_keyboard_alone_reaches_and_opens_a_cell(report):
    def press(*keys: str) -> None:
        for key in keys:
            report.switch_to.active_element.send_keys(key)

    def focused() -> tuple[int, ...]:
        address = report.switch_to.active_element.get_attribute("hash")
        return tuple(map(int, re.match(r"#true=(\d+)&predicted=(\d+)&", address).groups()))

    report.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert report.switch_to.active_element.text == "Skip to the report"
    assert report.switch_to.active_element.rect["x"] >= 0
    press(Keys.ENTER)
    for _ in range(40):
        press(Keys.TAB)
        if report.execute_script("return document.activeElement.closest('.matrix') !== null"):
            break
    assert focused() == (0, 0)
    assert report.execute_script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"

    press(Keys.ARROW_DOWN)  # over cells without images
    below = min(t for t in range(1, 10) if cell(t, 0))
    assert focused() == (below, 0)
    press(Keys.ARROW_RIGHT)
    beside = min(p for p in range(1, 10) if cell(below, p))
    assert focused() == (below, beside)
    press(Keys.ENTER)
    expected = cell(below, beside)[::-1][:20] if below == beside else cell(below, beside)
    wait(report, lambda: listed(report) == expected)
    press(Keys.TAB)
    assert report.switch_to.active_element.get_attribute("name") == "true"


@pytest.mark.fault("names that are markup, scripts, links or table cells")
def test_a_class_with_the_name_of_an_element_stays_text(browser, page):
    report = opened(browser, f"{page}#true={LAST}")
    names = report.execute_script(
        "return [...document.querySelectorAll('.matrix th, .images .class, option')].map((e) => e.textContent)"
    )

    assert names.count(HOSTILE) > 4
    assert HOSTILE in report.find_element(By.CSS_SELECTOR, ".images .answer").text
    assert report.find_elements(By.CSS_SELECTOR, "img[src='x'], [onerror]") == []


@pytest.mark.parametrize(
    ("name", "width", "height", "columns"), [("wide", 1280, 800, 2), ("dark", 1280, 800, 2), ("narrow", 400, 1300, 1)]
)
def test_the_first_screen_has_the_verdict_and_four_whole_figures_in_their_order(
    browser, page, name, width, height, columns
):
    look_at(browser, width, height, "dark" if name == "dark" else "light")
    report = opened(browser, page)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    assert report.save_screenshot(str(SCREENSHOTS / f"report-{name}.png"))
    figures = report.find_elements(By.CSS_SELECTOR, ".overview img")
    boxes = [figure.rect for figure in figures]

    alternatives = [figure.get_attribute("alt") for figure in figures]
    beginnings = ("Test accuracies", "Loss and accuracy", "10 by 10 confusion matrix", "The 6 surest")
    assert len(figures) == 4 and all(map(str.startswith, alternatives, beginnings))
    assert report.find_element(By.CLASS_NAME, "verdict").rect["y"] < boxes[0]["y"]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert max(box["y"] + box["height"] for box in boxes) <= height
    assert len({box["x"] for box in boxes}) == columns and len({box["y"] for box in boxes}) == 4 // columns
    assert [(box["y"], box["x"]) for box in boxes] == sorted((box["y"], box["x"]) for box in boxes)
    assert min(box["width"] for box in boxes) > (480 if columns == 2 else 340)


def test_what_a_narrow_frame_cuts_has_a_shade_that_goes_when_it_is_scrolled_to_its_end(browser, page):
    """Tables, the wide figure and the matrix at 320 pixels: the last pixels of a frame are darker if more follows."""
    look_at(browser, 320, 900)
    report = opened(browser, page)
    frames = report.find_elements(By.CLASS_NAME, "frame")
    cut = [frame for frame in frames if frame.get_property("scrollWidth") > frame.get_property("clientWidth")]

    def edge(frame) -> float:
        """Return the usual tone of the last pixels of a frame."""
        drawn = np.asarray(Image.open(io.BytesIO(frame.screenshot_as_png)).convert("L"), float)
        return float(np.median(drawn[5:-5, -4:-2]))

    assert {"matrix", "wide"} <= {frame.get_attribute("class").split()[-1] for frame in cut} | {
        table.get_attribute("class") for frame in cut for table in frame.find_elements(By.TAG_NAME, "table")
    }
    for frame in cut:
        report.execute_script("arguments[0].scrollIntoView()", frame)
        begun = edge(frame)
        report.execute_script("arguments[0].scrollLeft = 9999", frame)
        assert begun < edge(frame) - 20, frame.text[:80]


@pytest.mark.parametrize("width", [320, 1600])
def test_the_page_never_scrolls_sideways_and_the_keyboard_scrolls_a_wide_frame(browser, page, width):
    look_at(browser, width, 900)
    report = opened(browser, page)

    assert report.execute_script("return document.documentElement.scrollWidth") == width
    wide = report.execute_script(
        """
        const wide = [...document.querySelectorAll(".frame")].filter((frame) => frame.scrollWidth > frame.clientWidth);
        return wide.map((frame) => {
          frame.focus();
          return document.activeElement === frame || frame.querySelector("a") !== null;
        });
        """
    )
    assert all(wide)
    assert any(wide) == (width == 320)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_with_its_background(browser, page, scheme):
    """At least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    look_at(browser, 1600, 1000, scheme)
    pairs = opened(browser, page).execute_script(
        """
        const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        const rgb = (colour) => {
          canvas.clearRect(0, 0, 1, 1);
          canvas.fillStyle = colour;
          canvas.fillRect(0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data];
        };
        const ground = (element) => {
          const paint = (part) => {
            if (part.parentElement) paint(part.parentElement);
            canvas.fillStyle = getComputedStyle(part).backgroundColor;
            canvas.fillRect(0, 0, 1, 1);
          };
          paint(element);
          return [...canvas.getImageData(0, 0, 1, 1).data];
        };
        const parts = document.querySelectorAll(".matrix a, p, td, th, nav a, figcaption, label, summary");
        return [...parts].map((element) => [rgb(getComputedStyle(element).color), ground(element)]);
        """
    )

    def luminance(rgb: list[int]) -> float:
        shares = np.array(rgb[:3]) / 255
        return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    assert len({str(ground) for _, ground in pairs}) > 8
    assert (luminance(pairs[0][1]) < 0.1) == (scheme == "dark")
    for pair in pairs:
        low, high = sorted(map(luminance, pair))
        assert (high + 0.05) / (low + 0.05) >= 4.5, pair


def test_a_print_is_light_and_has_neither_the_list_nor_cut_figures_or_tables(browser, page):
    look_at(browser, 700, 1000, "dark", media="print")
    report = opened(browser, page)
    hidden = report.execute_script(
        "return ['.view', 'nav', '.skip'].map((name) => getComputedStyle(document.querySelector(name)).display)"
    )
    right = report.execute_script(
        "return [...document.querySelectorAll('img, table')].map((e) => e.getBoundingClientRect().right)"
    )
    printed = base64.b64decode(report.execute_cdp_cmd("Page.printToPDF", {})["data"])

    assert hidden == ["none"] * 3
    assert max(right) <= 700
    assert report.execute_script("return getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    assert 3 < len(re.findall(rb"/Type\s*/Page\b", printed)) < 60
