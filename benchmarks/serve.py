"""The time in which the page of `tools.serve` answers.

    python -m benchmarks.serve

Uses the test images and the networks that `dvc repro` left in the workspace. Writes serve.md and serve.json.
"""

import base64
import re
import signal
import subprocess
import time
from typing import Any

import numpy as np
import requests

from benchmarks import measure
from core.cli import command
from core.files import arrays
from tools import pipeline, scratch
from tools.predict import inputs

DRAWINGS = 40  # the first test images


def main() -> None:
    """Time the answers to drawings, one after the other, and write the results."""
    images = arrays.read(scratch.CHECKOUT / pipeline.path("test") / "images.npy", np.float32, 3, 4)[:DRAWINGS]
    results = {"machine": measure.machine(), "milliseconds": answers(np.rint(images * 255).astype(np.uint8))}
    measure.write("serve", results, page(results))


def answers(images: np.ndarray) -> list[float]:
    """Return the milliseconds in which the page of `tools.serve` answers each drawing, one after the other, by HTTP."""
    command = [measure.PYTHON, "-m", "tools.serve", "--port", "0"]
    with (
        subprocess.Popen(command, cwd=scratch.CHECKOUT, stdout=subprocess.PIPE, encoding="utf-8") as server,
        requests.Session() as session,
    ):
        try:
            session.trust_env = False  # no proxy
            line = next(iter(server.stdout or ()))
            [address] = re.findall(r"http://[^/]+/", line)
            found = []
            for image in images:
                url = f"data:image/png;base64,{base64.b64encode(inputs.png(image)).decode()}"
                start = time.perf_counter()
                session.post(f"{address}gradio_api/run/drawing", json={"data": [url]}, timeout=60).raise_for_status()
                found.append(round(1000 * (time.perf_counter() - start), 1))
        finally:
            server.send_signal(signal.SIGINT)
    return found


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    milliseconds = results["milliseconds"]
    return (
        f"Made by `python -m benchmarks.serve` on {results['machine']}.\n\nThe page of `tools.serve` answered "
        f"{len(milliseconds)} drawings, one after the other, by HTTP: {measure.summary(milliseconds, 0)} ms. This is "
        "the median, with the smallest and the largest value in brackets.\n"
    )


if __name__ == "__main__":
    command.run(main)
