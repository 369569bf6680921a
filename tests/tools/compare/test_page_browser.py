"""compare.html in a real Chromium without a network."""

from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from tests.stages.render.test_browser import NO_BROWSER, browser, choose, listed, look_at, opened, pixels, status, wait

__all__ = ["browser"]  # a fixture
SCREENSHOTS = Path(__file__).parents[3] / "build/screenshots"
pytestmark = pytest.mark.filterwarnings(f"default:{NO_BROWSER}")


@pytest.fixture(scope="module")
def some(made):
    return made()


@pytest.fixture(scope="module")
def address(some, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("page") / "compare.html"
    path.write_text(some.html, encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser, address):
    look_at(browser, 1280, 800)
    return opened(browser, address)


def of_class(some, name: str, kind: str | None = None) -> list[int]:
    label = some.classes.index(name)
    return [i for i, each in some.compared.changed.items() if some.labels[i] == label and each == (kind or each)]


def test_the_page_needs_no_network_and_logs_no_error(page, some):
    asked = page.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    images = page.execute_script("return [...document.images].map((i) => i.complete && i.naturalWidth > 0)")

    assert [name for name in asked if not name.startswith("data:")] == []
    assert len(images) == 7 and all(images)
    assert listed(page) == list(some.compared.changed)
    assert page.get_log("browser") == []  # a violation of the policy is logged


def test_filters_select_and_order_the_images(page, some):
    clear = list(some.compared.changed)
    choose(page, "true", "Shirt")
    wait(page, lambda: listed(page) == of_class(some, "Shirt"))
    choose(page, "change", "broken")
    wait(page, lambda: listed(page) == of_class(some, "Shirt", "broken"))
    assert 0 < len(listed(page)) < len(of_class(some, "Shirt"))
    assert status(page) == f"{len(listed(page))} of {len(clear)} listed images (400 tested)"
    page.back()
    wait(page, lambda: listed(page) == of_class(some, "Shirt"))

    page.find_element(By.LINK_TEXT, "Show all").click()
    wait(page, lambda: listed(page) == clear)
    choose(page, "sort", "smallest change")
    wait(page, lambda: listed(page) == clear[::-1])
    choose(page, "sort", "lowest index")
    wait(page, lambda: listed(page) == sorted(clear))


def test_a_card_shows_both_sides_with_their_votes_and_the_image(page, some):
    card = page.find_element(By.CSS_SELECTOR, ".images > li")
    index, kind = next(iter(some.compared.changed.items()))
    label = some.labels[index]
    before, after = ((side[:, index].argmax(axis=1) == label).sum() for side in (some.base, some.new))
    was, now = ("wrong", "right") if kind == "fixed" else ("right", "wrong")

    answer = f"{some.classes[label]}: {was} on base ({before} of 3 networks right), "
    answer += f"{now} on new ({after} of 5 networks right)"
    assert card.find_element(By.CLASS_NAME, "answer").text == answer
    for name, side in (("base", some.base), ("new", some.new)):
        part = card.find_element(By.CLASS_NAME, name)
        assert part.find_element(By.TAG_NAME, "p").text == name
        bars = part.find_elements(By.CSS_SELECTOR, ".bars li")
        ensemble = side[:, index].mean(axis=0)
        assert bars[0].find_element(By.CLASS_NAME, "class").text == some.classes[ensemble.argmax()]
        assert bars[0].get_attribute("class") == ("true" if ensemble.argmax() == label else "wrong")
        track, fill = (bars[0].find_element(By.CSS_SELECTOR, css).rect for css in (".track", ".track span"))
        assert fill["width"] / track["width"] == pytest.approx(ensemble.max(), abs=0.02)
    assert (pixels(page) == 255 - np.rint(some.images[listed(page)] * 255)[..., None]).all()


def test_the_keyboard_alone_reaches_the_filters_and_the_list(page, some):
    def press(*keys: str) -> None:
        for key in keys:
            page.switch_to.active_element.send_keys(key)

    page.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    press(Keys.ENTER)  # skip to the report
    for _ in range(20):
        press(Keys.TAB)
        if page.switch_to.active_element.get_attribute("name") == "change":
            break
    press("f")
    fixed = [index for index, kind in some.compared.changed.items() if kind == "fixed"]
    wait(page, lambda: listed(page) == fixed)
    press(Keys.TAB, "B")
    wait(page, lambda: listed(page) == of_class(some, "Bag", "fixed"))
    press(Keys.TAB, Keys.TAB, Keys.ENTER)  # over the order, to Show all
    wait(page, lambda: listed(page) == list(some.compared.changed))
    page.find_element(By.NAME, "sort").send_keys(Keys.TAB, Keys.TAB)
    assert page.switch_to.active_element.get_attribute("class") == "images pairs"
    press(Keys.END)
    wait(page, lambda: page.execute_script("return document.querySelector('.images').scrollTop") > 100)


@pytest.mark.parametrize(("width", "height", "name"), [(1280, 800, "wide"), (400, 800, "narrow")])
def test_on_the_first_screen_are_the_verdict_and_its_figure_and_nothing_is_cut(browser, address, width, height, name):
    look_at(browser, width, height)
    page = opened(browser, address)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.save_screenshot(str(SCREENSHOTS / f"compare-{name}.png"))

    assert page.execute_script("return document.documentElement.scrollWidth") == width
    for css in (".verdict", ".overview figure"):
        rect = page.find_element(By.CSS_SELECTOR, css).rect
        assert rect["x"] >= 0 and rect["x"] + rect["width"] <= width and rect["y"] + rect["height"] <= height
    cut = page.execute_script(
        "return [...document.querySelectorAll('.paper:not(.wide)')].filter((f) => f.scrollWidth > f.clientWidth).length"
    )
    assert cut == 0


def test_without_script_the_contact_sheet_is_there(browser, address):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        sheet = browser.find_element(By.CSS_SELECTOR, "img[alt*='images with the largest change']")
        assert sheet.is_displayed() and sheet.size["width"] > 500
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
