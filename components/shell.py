"""Quotes the words of a command that a person copies into a shell, so that every word stays one."""

import re
import shlex

_ESCAPED = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class Expression(str):
    """What the shell is to work out itself, such as the content of a file: it is typed as it is."""

    __slots__ = ()


def word(value: object) -> str:
    r"""Return a value as one word of a command.

    What no terminal shows is written in the way of bash, zsh and ksh, `$'\u202e'`: pasted as it is, it would be
    something else than what is read, and a line break would be a command of its own.
    """
    text = str(value)
    if isinstance(value, Expression):
        return text
    if text.startswith("-") and text.isprintable():
        # Quoted, it differs from an option for code that adds options to a command.
        return "'" + text.replace("'", "'\"'\"'") + "'"
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(_escaped, text))}'"


def words(*values: object) -> str:
    """Return values as the last words of a command, behind `--` where one would be taken for an option."""
    end = ["--"] if any(str(value).startswith("-") for value in values) else []
    return " ".join([*end, *map(word, values)])


def _escaped(character: str) -> str:
    if character in _ESCAPED or character.isprintable():
        return _ESCAPED.get(character, character)
    return escape(character, 0x80)


def escape(character: str, bytes_end: int) -> str:
    r"""Return a character as `\x1b`, if its code is below the end of those that are one byte, or as `\u202e`."""
    code = ord(character)
    return f"\\x{code:02x}" if code < bytes_end else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


QUOTED = r"\$'(?:[^'\\]|\\.)*'|'[^']*'|\"(?:[^\"\\]|\\.)*\""
"""A pattern of the quoted parts of a command."""


def unquoted(command: str) -> str:
    """Return a command without its quoted parts: what the shell and people read as the command itself."""
    return re.sub(QUOTED, "", command)
