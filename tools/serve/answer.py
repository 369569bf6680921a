"""What the page shows of a result, as HTML. Names of files and classes are escaped."""

import base64
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from core.cli.errors import StageError
from tools.predict import inputs
from tools.predict.classify import Ensemble
from tools.predict.formats import FLAGS, Result, decimals

STYLE = """
.drawing canvas { width: 100%; max-width: 400px; border: 1px solid #888; cursor: crosshair; touch-action: none; }
.drawing button { display: block; margin-top: 8px; }
.answer { display: flex; flex-wrap: wrap; gap: 16px; overflow-wrap: anywhere; }
.answer > * { flex: 1 1 100%; margin: 0; }
.answer figure { flex: 0 0 196px; }
.answer img { width: 100%; border: 1px solid #888; image-rendering: pixelated; }
.answer ol { flex: 1 1 250px; max-height: 400px; padding: 0; overflow-y: auto; list-style: none; }
.answer li { display: grid; grid-template-columns: 8em 1fr 4.5em; gap: 8px; align-items: center; }
.answer li:first-child { font-weight: bold; }
.answer li > :last-child { text-align: right; font-variant-numeric: tabular-nums; }
.answer .bar { height: 8px; background: linear-gradient(90deg, #3b82f6 var(--share), var(--border-color-primary) 0); }
.answer figcaption { margin-top: 4px; }
.answer [role=alert] { padding: 8px; border-left: 4px solid #d2691e; background: var(--background-fill-secondary); }
"""
HEADING = Markup("<h1>Image classification</h1><p>{} choose among these classes: {}.</p>")
ANSWER = Markup("""<div class="answer">{}</div>""")
ALERT = Markup("""<p role="alert">{}</p>""")
INPUT = Markup("""<figure><img src="data:image/png;base64,{}" alt=""><figcaption>{}</figcaption></figure>""")
BAR = Markup("""<li><span>{}</span><span class="bar" style="--share: {:.2%}"></span><span>{}</span></li>""")


def heading(ensemble: Ensemble) -> str:
    """Return the title of the page, and what the networks know."""
    networks = "1 network" if len(ensemble.networks) == 1 else f"{len(ensemble.networks)} networks"
    return HEADING.format(networks, ", ".join(ensemble.classes))


def failed(error: StageError) -> str:
    """Return a line for each problem of a picture."""
    return ANSWER.format(_joined(ALERT.format(f"error: {problem}") for problem in error.problems))


def of(result: Result, classes: Sequence[str]) -> str:
    """Return the networks' input, the classes with bars, the votes, what was done to the picture, and warnings."""
    height, width, *_ = result.values.shape
    png = base64.b64encode(inputs.png(result.values)).decode()
    bars = [BAR.format(classes[i], result.probabilities[i], decimals(result.probabilities[i])) for i in result.ranking]
    votes = ", ".join(f"{result.votes[i]} {classes[i]}" for i in result.ranking if result.votes[i])
    done = "; ".join(note for note in result.remarks if note not in FLAGS)
    parts = [
        *(ALERT.format(flag) for flag in FLAGS if flag in result.remarks),
        INPUT.format(png, f"{result.name}, as the networks see it: {width}x{height} pixels"),
        Markup("<ol>{}</ol>").format(_joined(bars)),
        Markup("<p>Votes of the networks: {}</p>").format(votes),
        *([Markup("<p>Preparation: {}</p>").format(done)] if done else []),
    ]
    return ANSWER.format(_joined(parts))


def _joined(parts: Iterable[Markup]) -> Markup:
    return Markup().join(parts)
