"""Hostile texts and values: each tries to escape from the text that quotes it."""

from typing import Any

_RUN = 'echo PWN""ED'

SHELL = (
    f"$({_RUN})", f"`{_RUN}`", f"; {_RUN}", f"| {_RUN}", f"&& {_RUN}", f"\n{_RUN}\n", f"'; {_RUN}; '",
    f'"; {_RUN}; "', f"\"$({_RUN})\"", f"'x'; {_RUN}", f"\\'; {_RUN} #", "$HOME", "${PATH}", "~", "*", "{a,b}",
    "--config-file=/etc/passwd", "-rf", "--", "--stack=other", "pulumi up now", "a, or pulumi destroy", "", " ", "#x",
    "!!", "<(x)", "> /tmp/x", "\\", "a\\", "a b", "$'\\x41'",
)  # fmt: skip
YAML = (
    "!!python/object/apply:os.system [x]", "&a [*a]", "*a", "- a", "a: b", "{a: b}", "[a]", "'", '"', "|", ">", "%YAML",
    "---", "...", "? a", "null", "~", "yes", "0x10", "1e3", "2020-01-01", "<<", "# comment", "\t", "a: &x [1, *x]",
    "!!int x", "!!timestamp x", "!!binary x", "key:\n  - {", "a\n---\nb",
)  # fmt: skip
TEMPLATES = (
    "{{ x }}", "${x}", "%(x)s", "{0.__class__}", "{x!r}", "{{ $labels.x }}",
    "%REQ(cookie)%", "%", "${{ github.token }}",
    "<%= x %>", "$[x]", "{",
)  # fmt: skip
PROMQL = ('"} or vector(1) or x{a="', '"', "\\", "`", ".*", "a|b", "[1h]", "'}")
MARKDOWN = (
    "[x](https://evil.test)", "![x](https://evil.test/x.png)", "<img src=x onerror=y>", "```\n# heading", "````", "# x",
    "| a | b |", "@everyone", "#1", "</details>", "<!-- x -->", "~~~", "\n\n## x\n\n| a |\n| --- |\n", "https://evil.test",
)  # fmt: skip
MARKUP = ("[red]", "[/]", "[/red]", "[link=https://evil.test]x[/link]", "[bold", "\\[x]", ":skull:", "[@click=x]")
LINES = (
    "a\nb", "a\r\nb", "a\rb", "\x1b[31mred", "\x1b]8;;https://evil.test\x07x", "\x1b[2J", "\x9b31m", "\x00", "\x07",
    "\x7f", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x08\x08\x08", "::add-mask::x", "##[add-path]x",
    "\n::set-env name=x::y",
    "\nerror: all is well", "\n      pulumi destroy --yes", "\ud800", "\udfff\ud800",
)  # fmt: skip
UNICODE = (
    "\u202egnp", "\u2066x\u2069", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u0430pple", "sh\u043ep.sandbox.test",
    "\uff53hop", "\u00df", "\u0130", "\u3002", "\u2024", "e\u0301", "\U000e0041", "\U0001f600", "x" + "\u0301" * 50,
    "\u0660\u0661", "\uff18\uff10", "\u00b2", "\u0000\u0430", "\ue000", "\uffff",
)  # fmt: skip
NAMES = (
    "shop.sandbox.test", "SHOP.sandbox.test.", "sh\u043ep.sandbox.test", "*.sandbox.test", "*.*.sandbox.test", "..",
    ".", "*", "*.", "a..b", "-a.test", "a-.test", "xn--", "xn--a.test", "xn--ls8h.test", f"{'a' * 64}.test",
    f"{'a.' * 127}test", f"{'a.' * 126}t", "127.0.0.1", "[::1]", "localhost", "shop.example.com", "a_b.test", "a/b",
    "a:80", "user@a.test", "https://a.test/", "\u0660.test", "a\u3002b.test", "\u202ea.test", "\u200da.test",
    "%73hop.test", "kube-system",
)  # fmt: skip
PATHS = (
    "/../../x", "//", "/a?b", "/a#b", "/%2e", "/%", "/a b", "/\u00e4", "/*", "/'\"", "/" + "a" * 2000, "a",
    "/<x>", "/\\",
)  # fmt: skip
LONG = ("a" * 300, "a" * 100_000, "\u00e4" * 20_000, "a." * 20_000, "(" * 5000, " " * 5000, "`" * 5000, "*." * 5000)

TEXTS: tuple[str, ...] = (
    *SHELL, *YAML, *TEMPLATES, *PROMQL, *MARKDOWN, *MARKUP, *LINES, *UNICODE, *NAMES, *PATHS, *LONG
)  # fmt: skip
INNER = tuple(text for text in TEXTS if text not in LONG)
"""The texts that are inserted into a good value."""

NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 65_536, 3601, 2**31, 2**53 + 1, 2**63, 2**64, 10**400, 0.5, 1e308, -0.0, float("nan"), float("inf"),
    "080", "8_0", "1e3", " 80", "80\n", "\u0668\u0660", "+80", "0x50", True, False, "True", "NaN",
)  # fmt: skip


def nested(depth: int, kind: str) -> Any:
    """Return a value inside as many lists, or objects."""
    value: Any = "x"
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


RAW = (
    "{", "[" * 3000, '{"a":' * 3000, "1" * 5000, '{"a": ' + "1" * 5000 + "}", "NaN", '{"a": NaN}', "[1e999]", '"x"',
    "null",
    '{"a": 1, "a": 2}', "\x00", '{"\\ud800": 1}', '["\\ud800"]', "{}", "[]", "[[]]", "[null]", "[{}]", "0", "'{}'",
    "apiVersion: v1\nkind: Config\nusers: [", "a: &a [*a]\nb: c", "!!timestamp x\n", "!!int x\n", "users:\n- 1\n",
    "? {a: b}\n: c\n", "[" * 3000 + "\n", "\n!!binary \u00e4\n", "users: !!int x\n", "{a: 2020-99-99}",
    "users: [{name: a, user: {exec: {env: 5}}}]\n",
)  # fmt: skip
"""Texts instead of an object or a list, or of a kubeconfig's content."""
