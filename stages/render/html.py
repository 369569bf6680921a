"""The report as one HTML file that needs no other file and may load none."""

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256

import markupsafe
from markupsafe import Markup

from stages.render import document
from stages.render.document import FOLDER, Code, Report, line


def html(report: Report, figures: Mapping[str, bytes]) -> str:
    """Return the report as HTML.

    `figures` holds the PNG of each illustration by its file name. The Content Security Policy in the file allows
    report.js, report.css and images in the file, and nothing else.
    """
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    templates = document.environment(_escape)
    templates.filters["anchor"] = lambda title: "-".join(re.findall(r"[a-z0-9]+", title.lower()))
    templates.filters["embedded"] = _embedded
    templates.filters["size"] = _size
    return templates.get_template("report.html.jinja").render(
        report=report,
        figures=figures,
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src {_digest(style)}; script-src {_digest(script)}",
    )


def _escape(value: object) -> Markup:
    """Return a value as one line of HTML; Markup is already escaped."""
    if isinstance(value, Markup):
        return value
    text = markupsafe.escape(line(value))
    return Markup(f"<code>{text}</code>") if isinstance(value, Code) else text


def _embedded(image: bytes) -> Markup:
    """Return the address of a PNG or JPEG that contains it."""
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return Markup(f"data:image/{kind};base64,{b64encode(image).decode('ascii')}")


def _digest(text: str) -> str:
    """Return the source expression that allows an inline text (Content Security Policy level 3, section 2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _size(png: bytes) -> tuple[int, int]:
    """Return the width and height of a PNG in pixels, the first fields of its first chunk (PNG, section 11.2.1)."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
