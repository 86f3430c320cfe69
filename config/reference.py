"""`python -m config.reference > docs/configuration.md`: the page of config keys, from the models themselves."""

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components.args import model_in
from config.models import SHARED, Gateway, Settings
from config.problems import accepted_by, is_list

_LONGEST_DEFAULT = 60

PAGE = """# Configuration

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

- The longest matching `path` wins; of routes with one path, the one with the most `headers`; of those, the first.
- `redirectTo` answers every request with 301 to the same path and query of the other name.
- `maintenance` answers every request with 503 and `Retry-After`, and wins over the host's routes. `tlsctl verify` then
  shows the host's `route` as skipped.
- `responseHeaders` replace the application's own headers of these names. A route's win over its host's.
- `tls.hsts` is sent on all of these answers.

## Outputs

`urls`, `acmeAccounts`, `ingressIp`, `issuer`, `issuerScope`, `certificateSecret`, `certificateNotAfter`,
`certificateRenewalTime`, `dnsRecords`; with `ingress.family` other than ipv4 `ingressIpv6`, and with `ingress.address`
promote `ingressChartValue`, the option of `helm upgrade` with which Istio's gateway chart asks for the address.
`gateways` has the outputs that differ for each of the other gateways.

<!-- Made by `python -m config.reference`. -->
"""


def page() -> str:
    """Return the page, with a row for each key; nested ones are written as a path."""
    rows = ["| key | accepted | default |", "| --- | --- | --- |"]
    rows += [f"| `{key}` | {accepted} | {default} |" for key, accepted, default in _rows(Settings, "")]
    return PAGE.format(table="\n".join(rows))


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        section = model_in(field.annotation)
        if model is Gateway and name in SHARED:
            yield key, f"as `{field.alias}`", "required" if field.is_required() else f"the stack's `{field.alias}`"
        elif section is None:
            yield key, accepted_by(field).replace("|", "\\|"), _default(field)
        else:
            yield from _rows(section, f"{key}{'[]' if is_list(field) else ''}.")


def _default(field: FieldInfo) -> str:
    default = field.default
    if field.is_required():
        return "required"
    if default in (None, (), {}, ""):
        return ""
    if isinstance(default, dict):
        text = ", ".join(f"{key}: {value}" for key, value in default.items())
    else:
        text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`" if len(text) <= _LONGEST_DEFAULT else "all of them"


if __name__ == "__main__":
    print(page(), end="")
