"""The page: a person draws, uploads or chooses a picture, and sees what the networks predict.

Only core.images.decoding decodes pictures. Its limits bound the memory.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import gradio as gr
import numpy as np
from fastapi import FastAPI
from gradio.data_classes import ImageData

from core.cli.errors import InputError, Problem, StageError
from core.images import decoding
from tools.predict import classify, inputs
from tools.predict.classify import Ensemble
from tools.predict.preparing import Prepared
from tools.serve import answer

DRAWING = "drawing"
FONTS = ["system-ui", "sans-serif"]  # of the browser's machine

# gr.ImageEditor needs WebGL, and draws only after a click on its brush.
CANVAS = """
<canvas width="280" height="280" aria-label="a white sheet to draw on"></canvas>
<button type="button" class="lg secondary">Clear</button>
"""
PEN = """
const canvas = element.querySelector("canvas"), pen = canvas.getContext("2d");
const scale = () => canvas.width / canvas.clientWidth;
const draw = (event) => { pen.lineTo(event.offsetX * scale(), event.offsetY * scale()); pen.stroke(); };
const clear = () => { pen.fillStyle = "white"; pen.fillRect(0, 0, canvas.width, canvas.height); };
const show = (value) => { props.value = value; trigger("change"); };
Object.assign(pen, { lineWidth: 14, lineCap: "round", lineJoin: "round" });
clear();
canvas.onpointerdown = (event) => { canvas.setPointerCapture(event.pointerId); pen.beginPath(); draw(event); };
canvas.onpointermove = (event) => event.buttons && draw(event);
canvas.onpointerup = (event) => { draw(event); show(canvas.toDataURL()); };
element.querySelector("button").onclick = () => { clear(); show(null); };
"""


def application(ensemble: Ensemble) -> FastAPI:
    """Return the web application, ready to answer at once.

    Raises InputError if params.yaml names a data set that does not fit the networks.
    """
    prepare = inputs.preparation(ensemble, None)
    one_at_a_time = Lock()  # one large picture fits into memory, ten may not

    def of_drawing(url: str) -> tuple[str, Prepared]:
        return DRAWING, prepare(decoding.decode(base64.b64decode(url.partition(",")[2]), DRAWING))

    def of_picture(path: str) -> tuple[str, Prepared]:
        name = Path(path).name
        return name, prepare(decoding.decode(decoding.read(path, name), name))

    def of_test_image(number: int) -> tuple[str, Prepared]:
        name = f"test:{number}"
        prepared = inputs.test_images({name: number})[name]
        if prepared.values.shape != ensemble.shape:
            what, fix = "the pipeline has run on other data since the start", "end the server, and start it again"
            raise InputError(Problem("data/", what, fix=fix))
        return name, prepared

    def answering(read: Callable[[Any], tuple[str, Prepared]]) -> Callable[[Any], str]:
        def answered(given: Any) -> str:
            try:
                with one_at_a_time:
                    results = [] if given in (None, "") else classify.results(ensemble, [read(given)])
            except StageError as error:
                return answer.failed(error)
            return "".join(answer.of(result, ensemble.classes) for result in results)

        return answered

    nothing = Prepared(np.zeros(ensemble.shape, np.uint8), ())
    classify.results(ensemble, [(DRAWING, nothing)])  # the first answer takes longer
    with gr.Blocks(title="Image classification", analytics_enabled=False) as page:
        gr.HTML(answer.heading(ensemble))
        with gr.Row():
            with gr.Column():
                with gr.Tab("Draw"):
                    drawing = gr.HTML(html_template=CANVAS, js_on_load=PEN, elem_classes="drawing")
                with gr.Tab("Picture"):
                    picture = gr.Image(show_label=False, buttons=[])
                with gr.Tab("Test image"):
                    number = gr.Number(0, label="Number of a test image, then Enter", precision=0)
            with gr.Column():
                shown = gr.HTML()
        picture.preprocess = _path  # type: ignore[assignment]
        for read, component, events in (
            (of_drawing, drawing, [drawing.change]),
            (of_picture, picture, [picture.change]),
            (of_test_image, number, [number.change, number.submit]),
        ):
            name = read.__name__.removeprefix("of_")
            gr.on(events, answering(read), component, shown, queue=False, show_progress="hidden", api_name=name)
    page.has_launched = True  # until then, gradio opens any file of this machine whose path a request gives
    return gr.mount_gradio_app(
        FastAPI(openapi_url=None),  # its documentation would load scripts from elsewhere
        page,
        "/",
        footer_links=[],
        run_history=False,
        max_file_size=10 * decoding.MOST_FILE_BYTES,  # gradio stops the upload, and the page says nothing
        theme=gr.themes.Default(font=FONTS, font_mono=FONTS),
        css=answer.STYLE,
    )


def _path(uploaded: ImageData | None) -> str | None:
    """Return the path of the uploaded file, untouched. A subclass of gr.Image would write a file beside this one."""
    return uploaded.path if uploaded else None
