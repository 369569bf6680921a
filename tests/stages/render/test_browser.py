"""report.html in a real Chromium, without a network: what it shows of 400 made-up predictions by two networks."""

import base64
import os
import re
import shutil
import warnings
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from core.files.arrays import Split
from stages.download import garments
from stages.render.__main__ import main

ROOT = Path(__file__).parents[3]
HOSTILE = "<img src=x onerror=alert(1)>"
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", HOSTILE]
BAG, SNEAKER, COAT, LAST = 8, 7, 4, 9
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", ROOT / "build/screenshots"))

NO_BROWSER = "report.html was looked at in no browser, since chromium and chromedriver are not installed"
pytestmark = pytest.mark.filterwarnings(f"default:{NO_BROWSER}")


def predictions() -> tuple[Split, np.ndarray]:
    """Return 400 test images and what two networks make of them: often right, wrong in many cells, surely and not."""
    images, labels = garments.draw(400, seed=0, split="test")
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (2, 400, 10)) + random.normal(0, 1.5, (400, 10)) + 3.5 * np.eye(10)[labels]
    exponentials = np.exp(logits)
    probabilities = (exponentials / exponentials.sum(axis=2, keepdims=True)).astype(np.float32)
    return Split(images.astype(np.float32) / np.float32(255), labels), probabilities


TEST, PROBABILITIES = predictions()
PREDICTED = PROBABILITIES[0].argmax(axis=1)
CONFIDENCE = PROBABILITIES[0].max(axis=1)


def cell(true: int, named: int) -> list[int]:
    """Return the indices of a cell's images, the surest first."""
    indices = [i for i in range(400) if (TEST.labels[i], PREDICTED[i]) == (true, named)]
    return sorted(indices, key=lambda i: -CONFIDENCE[i])


def all_cells() -> list[int]:
    """Return what the list has when nothing is filtered: all mistakes, and 20 right ones of each class."""
    listed = [i for t in range(10) for p in range(10) for i in (cell(t, p)[-20:] if t == p else cell(t, p))]
    return sorted(listed, key=lambda i: -CONFIDENCE[i])


MISTAKES = {(t, p): cell(t, p) for t in range(10) for p in range(10) if t != p and cell(t, p)}
MOST = max(MISTAKES, key=lambda pair: len(MISTAKES[pair]))


@pytest.fixture(scope="module")
def page(tmp_path_factory, write_inputs) -> str:
    """The address of a report.html made by the stage's main."""
    folder = tmp_path_factory.mktemp("report")
    write_inputs(folder, CLASSES, TEST, TEST, PROBABILITIES)
    params = (folder / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(params.replace("dpi: 50", "dpi: 100"), encoding="utf-8")  # as people see it
    data, reports = folder / "data", folder / "reports"
    inputs = [
        data / "normalized/train",
        data / "normalized/test",
        data / "normalized/classes.json",
        data / "predictions",
    ]
    inputs += [reports / "history.csv", data / "training.json", reports / "metrics.json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(*inputs, reports / "report.md", reports / "report.html", reports / "figures")
    return (reports / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    """A Chromium that can resolve no name; one for all tests, since it takes a while to start."""
    browser, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not (browser and driver):
        warnings.warn(NO_BROWSER, stacklevel=1)
        pytest.skip(NO_BROWSER)
    options = ChromeOptions()
    options.binary_location = browser
    arguments = ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars")
    for argument in (*arguments, "host-resolver-rules=MAP * ~NOTFOUND"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.unhandled_prompt_behavior = "ignore"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "localhost,127.0.0.1")  # a proxy of the user's would be asked for the driver
        chrome = Chrome(options, ChromeService(driver))
        try:
            yield chrome
        finally:
            chrome.quit()


@pytest.fixture
def report(browser, page):
    """The report as it is when its address is opened, in a window of ordinary size."""
    look_at(browser, 1600, 1000)
    return opened(browser, page)


def opened(browser: Chrome, address: str) -> Chrome:
    browser.get("about:blank")  # a new fragment alone would not load the page again
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
    names = browser.execute_script("return [...document.querySelectorAll('.images .name')].map((e) => e.textContent)")
    return [int(name.removeprefix("Test image ")) for name in names]


def fragment(**fields: object) -> str:
    return "#" + urlencode(fields)


def link(browser: Chrome, true: int, named: int):
    return browser.find_element(By.CSS_SELECTOR, f".matrix a[href^='#true={true}&predicted={named}&']")


def choose(browser: Chrome, name: str, text: str) -> None:
    Select(browser.find_element(By.NAME, name)).select_by_visible_text(text)


def enter(browser: Chrome, name: str, text: str) -> None:
    field = browser.find_element(By.NAME, name)
    field.clear()
    field.send_keys(text, Keys.ENTER)


def test_it_loads_without_a_network_and_without_a_word_on_the_console(report):
    asked = report.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    pictures = report.execute_script("return [...document.images].map((i) => i.complete && i.naturalWidth > 0)")

    assert [name for name in asked if not name.startswith("data:")] == []
    assert len(pictures) > 10 and all(pictures)
    assert listed(report) == all_cells()
    assert report.get_log("browser") == []


def test_its_policy_refuses_whatever_is_not_in_the_file(report):
    blocked = report.execute_async_script(
        """
        const done = arguments[0];
        const blocked = new Set();
        document.addEventListener("securitypolicyviolation", (event) => {
          blocked.add(event.effectiveDirective);
          if (blocked.size === 5) done([...blocked].sort());
        });
        const add = (tag, properties) => document.body.append(Object.assign(document.createElement(tag), properties));
        add("script", { textContent: "window.hacked = true" });
        add("style", { textContent: "body { display: none }" });
        add("img", { src: "https://example.org/x.png" });
        add("iframe", { src: "https://example.org/" });
        fetch("https://example.org/").catch(() => {});
        """
    )

    assert blocked == ["connect-src", "frame-src", "img-src", "script-src-elem", "style-src-elem"]
    assert report.execute_script("return window.hacked") is None
    report.get_log("browser")  # which says so too, and would say it to the next test


def test_a_cell_off_the_diagonal_opens_all_its_images(report):
    expected = cell(*MOST)
    assert len(expected) > 3
    assert link(report, *MOST).text == str(len(expected))

    link(report, *MOST).click()
    wait(report, lambda: status(report) == f"{len(expected)} of {len(expected)} images of this cell")

    assert listed(report) == expected
    assert link(report, *MOST).get_attribute("aria-current") == "true"


def test_a_cell_on_the_diagonal_opens_its_twenty_least_certain_images(report):
    expected = cell(BAG, BAG)[::-1][:20]
    right = len(cell(BAG, BAG))
    assert right > 20

    link(report, BAG, BAG).click()
    wait(report, lambda: status(report) == f"20 of {right} images of this cell")

    assert listed(report) == expected


def test_an_image_is_shown_with_its_class_its_probabilities_and_how_many_networks_agree(browser, page):
    report = opened(browser, page + fragment(true=MOST[0], predicted=MOST[1]))
    index = cell(*MOST)[0]
    card = report.find_element(By.CSS_SELECTOR, ".images > li")
    agreeing = (PROBABILITIES[:, index].argmax(axis=1) == MOST[1]).sum()
    order = np.argsort(-PROBABILITIES[0, index])

    lines = card.text.splitlines()
    assert lines[:3] == [
        f"Test image {index}",
        f"{CLASSES[MOST[1]]} instead of {CLASSES[MOST[0]]}",
        f"{agreeing} of 2 networks say so",
    ]
    shown = [c for place, c in enumerate(order) if place < 3 or c == MOST[0]]
    values = [text for c in shown for text in (CLASSES[c], f"{PROBABILITIES[0, index, c]:.4f}")]
    assert lines[3:-1] == values

    card.find_element(By.TAG_NAME, "summary").click()
    wait(report, lambda: len(card.find_elements(By.CSS_SELECTOR, ".bars li")) == 10)
    bars = card.find_elements(By.CSS_SELECTOR, ".bars li")
    names = {bar.find_element(By.CLASS_NAME, "class").text: bar for bar in bars}
    assert set(names) == set(CLASSES)
    assert [names[CLASSES[c]].get_attribute("class") for c in MOST] == ["true", "wrong"]
    track, fill = (names[CLASSES[MOST[1]]].find_element(By.CSS_SELECTOR, css).rect for css in (".track", ".track span"))
    assert fill["width"] / track["width"] == pytest.approx(CONFIDENCE[index], abs=0.01)


def test_the_picture_of_an_image_is_that_image(report):
    pixels = report.execute_script(
        """
        return [...document.querySelectorAll(".images canvas")].map((canvas) => [
          ...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data,
        ].filter((_, place) => place % 4 === 0));
        """
    )

    shown = np.uint8(pixels).reshape(-1, 28, 28)
    assert (shown == 255 - np.rint(TEST.images[all_cells()] * 255)).all()


def test_filters_narrow_the_list_to_the_images_they_name(report):
    everything = all_cells()

    choose(report, "true", "Bag")
    wait(report, lambda: listed(report) == [i for i in everything if TEST.labels[i] == BAG])
    choose(report, "answer", "wrong")
    wrong = [i for i in everything if TEST.labels[i] == BAG != PREDICTED[i]]
    wait(report, lambda: listed(report) == wrong)
    middle = float(np.median(CONFIDENCE[wrong]).round(3))
    enter(report, "from", str(middle))
    wait(report, lambda: listed(report) == [i for i in wrong if CONFIDENCE[i] >= middle])
    assert 0 < len(listed(report)) < len(wrong)
    enter(report, "from", "")
    enter(report, "to", str(middle))
    wait(report, lambda: listed(report) == [i for i in wrong if CONFIDENCE[i] <= middle])
    assert status(report) == f"{len(listed(report))} of {len(everything)} images listed here (400 tested)"

    report.find_element(By.LINK_TEXT, "Show all").click()
    wait(report, lambda: listed(report) == everything)
    choose(report, "predicted", "Sneaker")
    choose(report, "answer", "right")
    wait(report, lambda: listed(report) == cell(SNEAKER, SNEAKER)[-20:])


def test_the_list_is_ordered_as_asked(report):
    everything = all_cells()

    choose(report, "sort", "by index")
    wait(report, lambda: listed(report) == sorted(everything))
    choose(report, "sort", "least sure first")
    wait(report, lambda: listed(report) == everything[::-1])
    choose(report, "sort", "surest first")
    wait(report, lambda: listed(report) == everything)


def test_the_address_of_a_view_opens_it_again_and_the_back_button_leads_to_the_one_before(browser, page):
    first = opened(browser, page + fragment(true=BAG, answer="wrong", sort="index", **{"from": 0.4}))
    expected = [i for i in sorted(all_cells()) if TEST.labels[i] == BAG != PREDICTED[i] and CONFIDENCE[i] >= 0.4]
    assert expected and listed(first) == expected
    assert [Select(first.find_element(By.NAME, name)).first_selected_option.text for name in ("true", "sort")] == [
        "Bag",
        "by index",
    ]

    choose(first, "true", HOSTILE)
    wait(first, lambda: listed(first) != expected)
    address = first.current_url
    second = listed(first)
    assert second and (TEST.labels[second] == LAST).all()
    first.back()
    wait(first, lambda: listed(first) == expected)

    assert listed(opened(browser, address)) == second


def test_the_back_button_leads_to_the_first_view_too(report):
    link(report, *MOST).click()
    wait(report, lambda: listed(report) == MISTAKES[MOST])
    report.back()

    wait(report, lambda: listed(report) == all_cells())


@pytest.mark.parametrize("limits", [("much", "Infinity"), ("0x1", "2"), ("-1", "1e5")])
def test_what_an_address_says_of_no_view_is_passed_over(browser, page, limits):
    fields = {"true": 10, "predicted": "x", "answer": "no", "sort": -1, "toString": 1}
    report = opened(browser, page + fragment(**fields, **dict(zip(("from", "to"), limits, strict=True))))

    assert listed(report) == all_cells()
    assert report.get_log("browser") == []


def test_a_section_of_the_contents_leaves_the_view_as_it_is(browser, page):
    report = opened(browser, page + fragment(true=BAG))
    before = listed(report)

    report.find_element(By.CSS_SELECTOR, "nav li:last-child a").click()
    wait(report, lambda: "=" not in report.current_url)

    assert listed(report) == before


def test_the_keyboard_alone_reaches_and_opens_a_cell(report):
    def press(*keys: str) -> None:
        for key in keys:
            report.switch_to.active_element.send_keys(key)

    def focused() -> str | None:
        return report.switch_to.active_element.get_attribute("hash")

    report.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert report.switch_to.active_element.text == "Skip to the report"
    assert report.switch_to.active_element.rect["x"] >= 0
    press(Keys.ENTER)
    for _ in range(40):
        press(Keys.TAB)
        if report.execute_script("return document.activeElement.closest('.matrix') !== null"):
            break
    assert focused() == "#true=0&predicted=0&sort=least"
    outline = report.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"

    true = 0
    while true < COAT:  # down the first column of the matrix, over cells without images
        press(Keys.ARROW_DOWN)
        true = int(re.match(r"#true=(\d+)", focused())[1])
    press(Keys.ARROW_UP, Keys.ARROW_DOWN)
    assert cell(true, 0)
    press(Keys.ARROW_RIGHT)
    named = min(p for p in range(1, 10) if cell(true, p))
    assert focused().startswith(f"#true={true}&predicted={named}&")

    press(Keys.ENTER)
    expected = cell(true, named)[::-1][:20] if true == named else cell(true, named)
    wait(report, lambda: listed(report) == expected)
    press(Keys.TAB)
    assert report.switch_to.active_element.get_attribute("name") == "true"


def test_a_class_called_like_an_element_stays_text(browser, page):
    report = opened(browser, page + fragment(true=LAST))
    names = report.execute_script(
        "return [...document.querySelectorAll('.matrix th, .images .class, option')].map((e) => e.textContent)"
    )

    assert names.count(HOSTILE) > 4
    assert HOSTILE in report.find_element(By.CSS_SELECTOR, ".images .answer").text
    assert report.find_elements(By.CSS_SELECTOR, "img[src='x'], [onerror]") == []
    with pytest.raises(NoAlertPresentException):
        _ = report.switch_to.alert.text


@pytest.mark.parametrize("width", [320, 400, 900, 1200, 1600])
def test_the_page_is_never_scrolled_sideways_and_a_frame_that_is_can_be_by_keyboard(browser, page, width):
    look_at(browser, width, 900)
    report = opened(browser, page)

    assert report.execute_script("return document.documentElement.scrollWidth") == width
    wider, reachable = report.execute_script(
        "const frames = [...document.querySelectorAll('.frame')];"
        "return [frames.map((f) => f.scrollWidth > f.clientWidth), frames.map((f) => f.tabIndex === 0)]"
    )
    assert wider == reachable
    assert width not in (320, 1600) or any(wider) == (width == 320)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_and_words_stand_out_from_their_ground(browser, page, scheme):
    """By at least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
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
          const colour = rgb(getComputedStyle(element).backgroundColor);
          return colour[3] === 255 || !element.parentElement ? colour : ground(element.parentElement);
        };
        const parts = document.querySelectorAll(".matrix a, p, td, th, nav a, figcaption, label, summary");
        return [...parts].map((element) => [rgb(getComputedStyle(element).color), ground(element)]);
        """
    )

    def luminance(rgb: list[int]) -> float:
        shares = np.array(rgb[:3]) / 255
        return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    assert len({str(ground) for _, ground in pairs}) > 8
    for pair in pairs:
        low, high = sorted(map(luminance, pair))
        assert (high + 0.05) / (low + 0.05) >= 4.5, pair


def test_headings_go_down_one_level_at_a_time(report):
    levels = report.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))"
    )

    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_printed_it_has_pages_without_the_list_and_neither_figures_nor_tables_are_cut(browser, page):
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


@pytest.mark.parametrize(("name", "width"), [("wide", 1600), ("narrow", 400)])
def test_screenshots_are_kept_for_those_who_look(browser, page, name, width):
    look_at(browser, width, 1000)
    report = opened(browser, page + fragment(true=MOST[0], predicted=MOST[1]))
    look_at(browser, width, report.execute_script("return document.documentElement.scrollHeight"))

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    assert report.save_screenshot(SCREENSHOTS / f"{name}.png")
