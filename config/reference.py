"""`python -m config.reference > docs/configuration.md`: the page of config keys, from the models themselves."""

from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.models import SHARED, Gateway, Settings

_LONGEST_DEFAULT = 60


_PAGE = """# Configuration

The keys of `pulumi config`; nested ones are set with `--path`. Everything is checked before anything is created, and
every problem is reported at once, with the command that fixes it. [examples/stack](../examples/stack) is a whole file.

{table}

## What a host answers

In the stack's file, beside the keys above:

```yaml
istio-gateway-tls:hosts:
  - host: www.YOUR-DOMAIN
    redirectTo: YOUR-DOMAIN
  - host: YOUR-DOMAIN
    responseHeaders: {{x-frame-options: DENY}}
    routes:
      - {{service: shop, namespace: shop, port: 80}}
      - {{service: shop-beta, namespace: shop, port: 80, headers: [{{name: cookie, prefix: beta=}}]}}
      - {{path: /reports, service: reports, namespace: shop, port: 80, timeout: 300, retries: 0}}
  - host: old.YOUR-DOMAIN
    maintenance: true
```

- The longest `path` that fits takes a request; of routes with one path, the one that asks for the most `headers`; of
  those, the first.
- `redirectTo` answers every request with 301 to the same path and query of the other name.
- `maintenance` answers every request with 503 and `Retry-After`, and wins over the host's routes. `tlsctl verify` then
  shows the host's `route` as skipped.
- `responseHeaders` take the place of the application's own headers of these names. A route's win over its host's.
- `tls.hsts` is sent on all of these answers.

## Outputs

`urls`, `acmeAccounts`, `ingressIp`, `issuer`, `issuerScope`, `certificateSecret`, `certificateNotAfter`,
`certificateRenewalTime`, `dnsRecords`; with `ingress.family` other than ipv4 `ingressIpv6`, and with `ingress.address`
promote `ingressChartValue`, the option of `helm upgrade` with which Istio's gateway chart asks for the address.
`gateways` has what differs of each of the other gateways.

<!-- Made by `python -m config.reference`. -->
"""


def page() -> str:
    """Return the page."""
    return _PAGE.format(table=table())


def table() -> str:
    """Return a Markdown table with a row for each key, nested ones by their path."""
    rows = ["| key | accepted | default |", "| --- | --- | --- |"]
    rows += [f"| `{key}` | {accepted} | {default} |" for key, accepted, default in _rows(Settings, "")]
    return "\n".join(rows)


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        section = _section(field)
        if model is Gateway and name in SHARED:
            yield key, f"as `{field.alias or name}`", "required" if field.is_required() else f"`{name}`, as it is given"
            continue
        if section is None:
            yield key, (field.description or "").replace("|", "\\|"), _default(field)
        else:
            many = "[]" if "tuple" in str(field.annotation) else ""
            yield from _rows(section, f"{key}{many}.")


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a nested object, or of a list's items."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default in (None, (), {}, ""):
        return ""
    text = (
        ", ".join(f"{key}: {value}" for key, value in field.default.items()) if isinstance(field.default, dict) else ""
    )
    text = text or str(field.default).lower() if isinstance(field.default, bool) else text or str(field.default)
    return f"`{text}`" if len(text) <= _LONGEST_DEFAULT else "all of them"


if __name__ == "__main__":
    print(page(), end="")
