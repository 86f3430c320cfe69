r"""Regular expressions of paths, as Envoy reads them (https://github.com/google/re2/wiki/Syntax), and rewrites by them.

Envoy refuses a whole configuration for one bad expression, and every host of the gateway keeps its old routes then. So
only what Python and RE2 read in the same way is accepted: no look-around, back-references or possessive quantifiers.
"""

import math
import re
import warnings

from . import headers

_MAX_REPEATED = 1000
"""How often RE2 repeats an expression, nested repetitions included."""

_ESCAPE = re.compile(r"\\(.?)")
_ESCAPES = re.compile(r"[dDsSwW]|[!-/:-@\[-^`{-~]")
"""Of those that both read: classes, and punctuation."""

_REFUSED = {
    r"[^!-~]": "a character that is not visible ASCII",
    r"\(\?(?!:|i\))": "a group that begins with (? and is not (?: or (?i)",
    r"[*+?}]\+": "a possessive quantifier",
    r"\[\[|\[:": "a class of characters by name",
    r"\{,": "a repetition without its lowest number",
}
"""What RE2 does not know or reads in another way, by an expression that finds it where escapes are left out."""


def path_regex(text: str) -> str:
    """Return a regular expression for whole paths."""
    if len(text) > headers.MAX_PATH:
        raise ValueError(f"has {len(text)} characters, a regular expression of a path has at most {headers.MAX_PATH}")
    for escaped in _ESCAPE.findall(text):
        if not _ESCAPES.fullmatch(escaped):
            raise ValueError(rf"has \{escaped}, which is not \d \D \s \S \w \W or punctuation")
    plain = _ESCAPE.sub("_", text)
    for pattern, what in _REFUSED.items():
        if re.search(pattern, plain):
            raise ValueError(f"has {what}")
    _compile(text)
    counts = [int(highest or lowest) for lowest, highest in re.findall(r"\{(\d+)(?:,(\d*))?\}", plain)]
    # Only repetitions of a group are nested.
    if counts and (math.prod(counts) if "){" in plain else max(counts)) > _MAX_REPEATED:
        raise ValueError(f"repeats more than {_MAX_REPEATED} times")
    return text


def _compile(text: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(text)
    except (re.error, FutureWarning, DeprecationWarning, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None


def rewrite(text: str) -> str:
    r"""Return a path that replaces one; `\1` to `\9` stand for groups."""
    headers.path_prefix(text)
    for after in _ESCAPE.findall(text):
        if not re.fullmatch("[1-9]", after):
            raise ValueError(r"has a backslash that is not one of \1 to \9")
    return text


def last_group(text: str) -> int:
    r"""Return the highest of the groups that a rewrite names, 0 for none."""
    return max(map(int, _ESCAPE.findall(text)), default=0)


def group_count(regex: str) -> int:
    """Return how many groups a regular expression has."""
    return _compile(regex).groups
