"""Any value as a line of Markdown that shows it as it is: no name, however hostile, adds markup to a page."""

import re

from markupsafe import Markup

from stages.command import printable

# What may be markup anywhere in a text (an underscore inside a word is none), and what may be at the start of a line.
_MARKUP = re.compile(r"[#$&*<>\[\\\]^`{|}~]|(?<![^\W_])_|_(?![^\W_])|^[-+=](?!\d)|^\d+[.)](?!\S)")


def escape(value: object) -> Markup:
    """Return a value as one line of CommonMark with GitHub's tables; Markup is taken to be escaped already.

    What could be markup becomes a character reference, which is never taken for it.
    """
    if isinstance(value, Markup):
        return value
    line = printable(" ".join(str(value).split()))
    return Markup(_MARKUP.sub(lambda match: "".join(f"&#{ord(c)};" for c in match[0]), line))
