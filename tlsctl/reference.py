"""`python -m tlsctl.reference > docs/checks.md`: the page of checks, from the checks themselves."""

import json

from tlsctl.stack import Stack
from tlsctl.verify import report
from tlsctl.verify.checks import CHECKS
from tlsctl.verify.results import Report, Result

_PAGE = """# Checks

`uv run python -m tlsctl verify --stack NAME` checks a live environment the way a client sees it. It only reads: the
stack's outputs and config, DNS, the gateway's ports 80 and 443, and the cluster where it is reachable.

- A **check** is ok, failed or skipped. It is skipped where it does not apply, or cannot be made from here.
- A **problem** is a failed check that no other failure explains: one cause is one problem, whatever follows from it.
- A **fix** is the commands that solve a problem, in the order to run them. They name your own objects, and the stack.

| option | |
| --- | --- |
| `--config-file FILE` | the stack's config, if it is not `Pulumi.NAME.yaml` |
| `--ca FILE` | the roots to trust, PEM. Without it: the system's, or Let's Encrypt's staging roots where those sign |
| `--client-cert FILE` | a certificate and its key, PEM; where `tls.clientCa` asks for one, less is seen without |
| `--resolver IP` | the resolver to ask, if not the system's |
| `--watch` | check again until all is ok, for `--timeout` seconds at most |
| `--json` | print JSON |

The exit code is 0 if all is ok, 1 if a check failed, 2 if nothing could be checked, and 130 after an interrupt.

## What is checked

{table}

Where a check sees more, its fix is more exact than the one above: a Service without port 443 comes with the
`kubectl patch` that adds it.

Each host costs one TLS handshake, over which the application is asked as well, two plain requests, and its lookups in
DNS. Versions and cipher suites take hundreds of handshakes, so they are scanned once per TLS server, not per host: what
is offered belongs to the server of the Gateway, and hosts that get the same certificate are on the same one. If the
cluster can be read, servers with the same TLS settings are scanned once together, as long as each host gets the
certificate of its own server's Secret.

## JSON

`problems` holds every problem once, `checks` every check of every subject. A subject is `ingress`, which all hosts
share, a Certificate, or a host. `because` names the problems that explain a failed check by their `where`, and is empty
in the checks that are problems themselves. If nothing could be checked, `checks` is empty, and the problems' `check` is
null.

```json
{example}
```

<!-- Made by `python -m tlsctl.reference`. -->
"""

_EXAMPLE = Report(
    [
        Result("service", "ingress", "ok", "ports 80 and 443 at 203.0.113.10"),
        Result("certificate", "certs", "failed", "Challenge for shop.acme.dev: invalid: connection refused"),
        Result(
            "record",
            "shop.acme.dev",
            "failed",
            "the A record is 192.0.2.1 at ns1.acme.dev; the gateway is 203.0.113.10",
            CHECKS["record"].fix,
        ),
        Result("hsts", "shop.acme.dev", "skipped", "not configured"),
    ],
    {"certs": ["shop.acme.dev"]},
)


def page() -> str:
    """Return the page, Markdown."""
    example = report.document(Stack("dev"), _EXAMPLE)
    return _PAGE.format(table=table(), example=json.dumps(example, indent=2))


def table() -> str:
    """Return a Markdown table with a row for each check."""
    rows = [
        "| check | it is ok when | it fails, most likely, because | the fix, most likely | explained by |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, check in CHECKS.items():
        fix = ", ".join(f"`{_command(command)}`" for command in check.fix)
        because = ", ".join(f"`{each}`" for each in check.because)
        rows.append(f"| `{name}` | {check.ok} | {check.otherwise} | {fix} | {because} |")
    return "\n".join(rows)


def _command(template: str) -> str:
    """Return a command with what differs between stacks in capitals, as a cell of a table."""
    return Stack("NAME").address(template.format_map(_Capitals())).replace("|", "\\|")


class _Capitals(dict[str, str]):
    """The fields of a fix, each standing for itself in capitals."""

    def __missing__(self, key: str) -> str:
        return key.upper()


if __name__ == "__main__":
    print(page(), end="")
