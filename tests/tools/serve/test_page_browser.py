"""The page in a real Chromium that reaches this machine alone, and by HTTP; the server is the command itself."""

import base64
import json
import re
import signal
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import requests
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from core.config import params
from core.networks import architectures, models
from tests.project import ROOT, scrubbed
from tests.stages.render.test_browser import NO_BROWSER, browser, look_at, wait
from tests.tools.predict.test_predict import CLASSES, TEST, TRAIN, bar, choose, fill, tinted

__all__ = ["browser"]  # a fixture
SCREENSHOTS = ROOT / "build/screenshots"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings(f"default:{NO_BROWSER}")]

TROUSERS = [(-60, -120), (60, -120), (70, 130), (20, 130), (0, -60), (-20, 130), (-70, 130), (-60, -120)]
HUGE = 20_000  # pixels a side


class Site(NamedTuple):
    folder: Path
    address: str
    process: subprocess.Popen

    def post(self, path: str, **content) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False  # no proxy
            return session.post(f"{self.address}gradio_api/{path}", **content, timeout=60)

    def answer(self, endpoint: str, given) -> str:
        return self.post(f"run/{endpoint}", json={"data": [given]}).json()["data"][0]

    def upload(self, name: str, data: bytes) -> dict:
        [path] = self.post("upload", files={"files": (name, data)}).json()
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    def peak(self) -> int:
        """Return the most memory that the server ever had, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024


def network(strength: float, shape: tuple[int, ...]):
    """Softmax of strength times the sum of each row, by a network that the pipeline knows."""
    settings = params.load(ROOT / "params.yaml").train.model_copy(update={"network": "dense", "hidden_units": [4]})
    model = architectures.build(shape, len(CLASSES), settings)
    sums = np.repeat(np.eye(4), np.prod(shape[1:]), axis=0)
    model.set_weights([sums, np.zeros(4), strength * np.eye(4), np.zeros(4)])
    return models.with_probabilities(model)


@contextmanager
def served(folder: Path) -> Iterator[Site]:
    """Serve the networks of a folder until Ctrl-C, after which nothing is left."""
    with tempfile.TemporaryDirectory() as uploads, open(folder / "errors", "wb") as errors:
        environment = scrubbed() | {"PYTHONPATH": str(ROOT), "TMPDIR": uploads}
        command = [sys.executable, "-m", "tools.serve", "--port", "0"]
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8"
        )
        try:
            line = process.stdout.readline()
            yield Site(folder, re.search(r"http://127\.0\.0\.1:\d+/", line)[0], process)
            assert list(Path(uploads).iterdir()) != []
        finally:
            printed = (folder / "errors").read_bytes()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        assert process.returncode == 0 and list(Path(uploads).iterdir()) == []
        assert (folder / "errors").read_bytes() == printed


@pytest.fixture(scope="module", params=["grey", "colour"])
def site(request, tmp_path_factory) -> Iterator[Site]:
    folder, in_colour = tmp_path_factory.mktemp(request.param), request.param == "colour"
    train, test = (tinted(images) if in_colour else images for images in (TRAIN, np.stack(TEST)))
    fill(folder, [network(strength, train.shape[1:]) for strength in (-1, 4, 2)], train, test)
    if in_colour:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            choose(format="npz")
    with served(folder) as site:
        yield site


@pytest.fixture
def page(browser, site):
    look_at(browser, 1280, 800)
    browser.get(site.address)
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".drawing canvas"))
    return browser


def texts(page, css: str) -> list[str]:
    """Return the texts of elements of the answer, all of one moment."""
    script = "return [...document.querySelectorAll(arguments[0])].map((element) => element.innerText)"
    return page.execute_script(script, f".answer {css}")


def tab(page, name: str) -> None:
    wait(page, lambda: [each for each in page.find_elements(By.CSS_SELECTOR, "[role=tab]") if each.text == name])
    [button] = [each for each in page.find_elements(By.CSS_SELECTOR, "[role=tab]") if each.text == name]
    button.click()


def draw(page) -> None:
    canvas = page.find_element(By.CSS_SELECTOR, ".drawing canvas")
    pen = ActionChains(page, duration=20).move_to_element_with_offset(canvas, *TROUSERS[0]).click_and_hold()
    for point in TROUSERS[1:]:
        pen.move_to_element_with_offset(canvas, *point)
    pen.release().perform()


def upload(page, path: Path) -> None:
    tab(page, "Picture")
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "input[type=file]"))
    page.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(path))


def ask_for(page, number: int) -> None:
    tab(page, "Test image")
    wait(page, lambda: page.find_element(By.CSS_SELECTOR, "input[type=number]").is_displayed())
    page.find_element(By.CSS_SELECTOR, "input[type=number]").send_keys(str(number))


def data_of(url: str) -> bytes:
    return base64.b64decode(url.removeprefix("data:image/png;base64,"))


def shown(page, name: str) -> dict:
    """Return what the page shows of a picture, once it does."""
    wait(page, lambda: [each for each in texts(page, "figcaption") if each.startswith(f"{name}, as")])
    votes, *done = texts(page, "p:not([role])")
    rows = zip(texts(page, "li > :first-child"), texts(page, "li > :last-child"), strict=True)
    return {
        "pixels": data_of(page.find_element(By.CSS_SELECTOR, ".answer img").get_attribute("src")),
        "probabilities": {name: float(number.strip("<>")) for name, number in rows},
        "votes": votes.removeprefix("Votes of the networks: "),
        "done": "".join(done).removeprefix("Preparation: "),
        "warnings": texts(page, "[role=alert]"),
    }


def predicted(folder: Path, *names: str) -> list[dict]:
    command = [sys.executable, "-m", "tools.predict", *names, "--format", "json", "--show-input", "inputs"]
    environment = scrubbed() | {"PYTHONPATH": str(ROOT)}
    return json.loads(subprocess.check_output(command, cwd=folder, env=environment, encoding="utf-8"))


@pytest.mark.fault("a page and a command that disagree")
def test_a_drawing_an_upload_and_a_test_image_have_the_numbers_of_the_command(page, site):
    Image.fromarray(np.kron(255 - bar(2), np.ones((9, 9), np.uint8))).save(site.folder / "light.png")
    draw(page)
    on_page = [shown(page, "drawing")]
    drawing = page.execute_script("return document.querySelector('.drawing canvas').toDataURL()")
    (site.folder / "drawing.png").write_bytes(data_of(drawing))
    upload(page, site.folder / "light.png")
    on_page.append(shown(page, "light.png"))
    ask_for(page, 3)
    on_page.append(shown(page, "test:3"))

    by_command = predicted(site.folder, "drawing.png", "light.png", "test:3")

    inputs = [path.read_bytes() for path in sorted((site.folder / "inputs").iterdir())]
    assert [each["pixels"] for each in on_page] == inputs
    for seen, expected in zip(on_page, by_command, strict=True):
        assert seen["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-4)
        assert next(iter(seen["probabilities"])) == expected["class"]
        assert f"{expected['agreement']} {expected['class']}" in seen["votes"].split(", ")
        assert sum(int(each.split()[0]) for each in seen["votes"].split(", ")) == 3
        warnings = [each for each in expected["notes"] if "means nothing" in each]
        assert seen["done"] == "; ".join(each for each in expected["notes"] if each not in warnings)
        assert len(seen["warnings"]) == expected["unlike_training"] + len(warnings)
    assert any(each["unlike_training"] for each in by_command) and not by_command[2]["unlike_training"]
    asked = page.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [url for url in asked if not url.startswith((site.address, "data:", "blob:"))] == []
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_cleared_sheet_has_no_answer_and_enter_asks_for_the_test_image_that_is_shown(page, site):
    draw(page)
    shown(page, "drawing")
    page.find_element(By.CSS_SELECTOR, ".drawing button").click()
    wait(page, lambda: texts(page, "figure") == [])
    assert texts(page, "[role=alert]") == []

    tab(page, "Test image")
    wait(page, lambda: page.find_element(By.CSS_SELECTOR, "input[type=number]").is_displayed())
    page.find_element(By.CSS_SELECTOR, "input[type=number]").send_keys(Keys.ENTER)
    shown(page, "test:0")


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def huge() -> bytes:
    """Return a white PNG of 400 million pixels, in 50 kB."""
    packer, row = zlib.compressobj(9), b"\0" + b"\xff" * (HUGE // 8)
    packed = b"".join(packer.compress(row) for _ in range(HUGE)) + packer.flush()
    header = HUGE.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.fault("a damaged or a huge picture on the page")
def test_a_picture_that_can_not_be_read_is_one_line_and_the_server_goes_on(page, site):
    (site.folder / "broken.png").write_bytes(b"<html>")
    (site.folder / "large.png").write_bytes(bytes(25 << 20))
    before, data, printed = site.peak(), huge(), (site.folder / "errors").read_bytes()

    for name, what in (("broken.png", "not a supported picture"), ("large.png", "too large a file")):
        page.get(site.address)
        upload(page, site.folder / name)
        wait(page, lambda: texts(page, "[role=alert]"))
        [line] = texts(page, "[role=alert]")
        assert line.startswith(f"error: {name}: {what} (expected") and texts(page, "figure") == []
    ask_for(page, 3)
    assert shown(page, "test:3")["warnings"] == []

    refused = "too large a picture (expected at most 50000000 pixels, got more); fix: make it smaller, or remove it"
    assert f">error: huge.png: {refused}<" in site.answer("picture", site.upload("huge.png", data))
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    assert f">error: drawing: {refused}<" in site.answer("drawing", url)
    assert site.peak() - before < 200  # decoded, it has 400 MB
    assert (site.folder / "errors").read_bytes() == printed


@pytest.mark.fault("a damaged or a huge picture on the page")
def test_a_test_image_that_is_not_there_is_one_line(site):
    for number in (-1, 20):
        line = f"error: test:{number}: no such test image (expected 0 to 19, got {number}); fix: give another number"
        assert f">{line}<" in site.answer("test_image", number)


@pytest.mark.fault("a pipeline that runs while the page is served")
def test_test_images_of_another_shape_are_one_line(site):
    path = site.folder / "data/normalized/test/images.npy"
    content = path.read_bytes()
    np.save(path, np.load(path)[:, :-1])
    try:
        answer = site.answer("test_image", 3)
    finally:
        path.write_bytes(content)

    line = "error: data/: the pipeline has run on other data since the start; fix: end the server, and start it again"
    assert f">{line}<" in answer


@pytest.mark.fault("two runs at once")
def test_ten_requests_at_once_have_the_answers_of_one_at_a_time(site):
    numbers = list(range(10))
    alone = [site.answer("test_image", number) for number in numbers]

    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(lambda number: site.answer("test_image", number), numbers))

    assert together == alone and len(set(alone)) == 10


@pytest.mark.fault("a request for a file that nobody uploaded")
def test_only_uploaded_files_are_opened(tmp_path, site):
    Image.fromarray(bar(1)).save(tmp_path / "private.png")

    file = {"path": f"{tmp_path}/private.png", "meta": {"_type": "gradio.FileData"}}
    response = site.post("run/picture", json={"data": [file]})

    assert response.status_code == 500 and "was not uploaded" in response.text


@pytest.mark.parametrize(("width", "name"), [(1280, "wide"), (390, "narrow")])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut(browser, page, width, name, scheme):
    look_at(browser, width, 1000, scheme)
    draw(page)
    shown(page, "drawing")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.save_screenshot(str(SCREENSHOTS / f"serve-{name}-{scheme}.png"))

    assert page.execute_script("return document.documentElement.scrollWidth") == width
    for css in ("canvas", ".answer figure", ".answer ol"):
        rect = page.find_element(By.CSS_SELECTOR, css).rect
        assert rect["x"] >= 0 and rect["x"] + rect["width"] <= width
