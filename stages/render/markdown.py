"""Any value as a line of Markdown that shows it as it is: no name, however hostile, adds markup or a link to a page,
calls a stranger to it, or turns round what stands beside it.
"""

import re

from markupsafe import Markup

from core.cli.errors import printable

# What may be markup anywhere in a text (an underscore inside a word is none), and what may be at the start of a line.
_MARKUP = re.compile(r"[#$&*<>\[\\\]^`{|}~]|(?<![^\W_])_|_(?![^\W_])|^[-+=](?!\d)|^\d+[.)](?!\S)")

# Where a host would see an address, or whom or what a text refers to, in what it shows: http://x, www.x, x@y, @x, #1,
# GH-1, or a picture: :x:.
_LINKED = re.compile(
    r"(?<=:)(?=//|[\w+-]+:)|(?<=www)(?=\.)|(?<=@)(?=[\w-])|(?<=#)(?=\d)|(?<=\bGH-)(?=\d)", re.IGNORECASE
)

# Words of scripts written from right to left: Hebrew, Arabic and their kin, of plane 0 and of plane 1.
_LETTERS = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]+"
_RIGHT_TO_LEFT = re.compile(f"{_LETTERS}(?: {_LETTERS})*")

# A space of no width, and what begins and ends a part whose direction is its own. They are put in after the characters
# of a text were escaped, so they can't be of the text's own.
_BREAK, _ISOLATE, _END = "\u200b", "\u2068", "\u2069"
_OURS = re.compile(f"[{_BREAK}{_ISOLATE}{_END}]")


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
    broken = isolated(_LINKED.sub(_BREAK, line(value)))
    return Markup(_OURS.sub(_reference, _MARKUP.sub(_reference, broken)))


def isolated(text: str) -> str:
    """Return a text whose words of scripts written from right to left leave the order of all others as it is.

    Otherwise a number behind such a name would be shown before it (Unicode Standard Annex 9).
    """
    return _RIGHT_TO_LEFT.sub(f"{_ISOLATE}\\g<0>{_END}", text)


def line(value: object) -> str:
    """Return a value as one line of text, what is not printable escaped."""
    return printable(" ".join(str(value).split()))


def _reference(match: re.Match[str]) -> str:
    return "".join(f"&#{ord(character)};" for character in match[0])
