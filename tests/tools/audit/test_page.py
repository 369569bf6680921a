"""The page of an audit in a real Chromium without a network."""

import pytest
from selenium.webdriver.common.by import By

from tests.stages.render.test_browser import NO_BROWSER, browser, choose, look_at, opened, wait

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.filterwarnings(f"default:{NO_BROWSER}")


def shown(page):
    """Return the lines of each image of the first section."""
    cards = page.find_elements(By.CSS_SELECTOR, "section:first-of-type .cards > li")
    return [card.text.splitlines() for card in cards if card.is_displayed()]


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_images_are_filtered_by_class_without_a_network(audited, browser, project, width):
    audited("own")
    look_at(browser, width, 800)
    page = opened(browser, (project / "build/audit/own.html").as_uri())
    every = shown(page)

    assert {"<third> → first", "first → second"} <= {headline for headline, _ in every}
    choose(page, "suggested", "second")
    wait(page, lambda: 0 < len(shown(page)) < len(every))
    assert all(headline.endswith("→ second") for headline, _ in shown(page))
    assert page.find_element(By.CLASS_NAME, "status").text == f"{len(shown(page))} of {len(every)} images"
    assert page.execute_script("return [...document.images].every((image) => image.naturalWidth > 0)")
    assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert page.get_log("browser") == []  # a violation of the policy is logged
