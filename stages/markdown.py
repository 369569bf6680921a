"""Any value as a line of Markdown that shows it as it is: no name, however hostile, adds markup or a link to a page, or
calls a stranger to it.
"""

import re

from markupsafe import Markup

from stages.command import printable

# What may be markup anywhere in a text (an underscore inside a word is none), and what may be at the start of a line.
_MARKUP = re.compile(r"[#$&*<>\[\\\]^`{|}~]|(?<![^\W_])_|_(?![^\W_])|^[-+=](?!\d)|^\d+[.)](?!\S)")

# Where a host would see an address, or whom or what a text refers to, in what it shows: http://x, www.x, x@y, @x, #1.
_LINKED = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=[\w-])|(?<=#)(?=\d)", re.IGNORECASE)

# A space of no width. It is left after the characters of a text were escaped, so it can't be one of the text's own.
_BREAK = "\u200b"


def escape(value: object) -> Markup:
    """Return a value as one line of CommonMark with GitHub's tables; Markup is taken to be escaped already.

    What could be markup becomes a character reference, which is never taken for it. Hosts also link some plain text,
    and notify whom it mentions, going by the text as it is shown, where a reference is the character it stands for:
    such text is broken by a space of no width. It looks the same, but copied, an address has the space in it. The rules
    kept in mind are those of GitHub's Markdown (section 6.9) and of its mentions. Whoever has others may still make a
    link, to what it shows: of a bare `example.com`, of a commit's digest, of GitLab's `!1`.
    """
    if isinstance(value, Markup):
        return value
    broken = _LINKED.sub(_BREAK, line(value))
    escaped = _MARKUP.sub(lambda match: "".join(f"&#{ord(c)};" for c in match[0]), broken)
    return Markup(escaped.replace(_BREAK, f"&#{ord(_BREAK)};"))


def line(value: object) -> str:
    """Return a value as one line of text, what is not printable escaped."""
    return printable(" ".join(str(value).split()))
