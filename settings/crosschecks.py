"""What no single field can tell: rules between keys.

They look at the raw config, not at the validated one, so that they are reported together with the errors of single
fields. What has the wrong type is passed over here: its own field has said so.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from settings.names import dns_name
from settings.problems import MISSING, Problem, set_command

_SIZES = {"ECDSA": (256, 384, 521), "RSA": (2048, 3072, 4096)}
_DESTINATION = {"service": "NAME", "namespace": "NAME", "port": 80}


def cross_checks(raw: Mapping[str, Any]) -> list[Problem]:
    """Return the problems between keys, in the order of the config table."""
    hosts = raw.get("hosts")
    hosts = [host if isinstance(host, dict) else {} for host in hosts] if isinstance(hosts, list) else []
    return [
        *_cluster(raw),
        *_duplicate_hosts(hosts),
        *_wildcards(hosts, raw.get("challenge", "http01")),
        *_destinations(hosts),
        *_key_size(_section(raw, "certificate")),
        *_hsts(_section(raw, "tls"), _section(raw, "acme")),
    ]


def _section(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = raw.get(key)
    return section if isinstance(section, dict) else {}


def _cluster(raw: Mapping[str, Any]) -> Iterator[Problem]:
    for key in ("kubeconfig", "context"):
        if raw.get("gke") and raw.get(key):
            yield Problem(
                key=key,
                value="[given]" if key == "kubeconfig" else raw[key],
                reason="contradicts gke",
                accepted="kubeconfig and context, or gke",
                mend=f"pulumi config rm {key}",
            )


def _duplicate_hosts(hosts: list[dict[str, Any]]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, name in _host_names(hosts):
        if name in seen:
            yield Problem(
                key=f"hosts[{index}].host",
                value=hosts[index]["host"],
                reason=f"is the same name as hosts[{seen[name]}].host",
                accepted="each name once; give one host several `routes`",
                mend=f"pulumi config rm --path 'hosts[{index}]', or "
                + set_command(["hosts", index, "host"], "other.YOUR-DOMAIN"),
            )
        seen.setdefault(name, index)


def _wildcards(hosts: list[dict[str, Any]], challenge: Any) -> Iterator[Problem]:
    for index, name in _host_names(hosts):
        if name.startswith("*.") and challenge == "http01":
            yield Problem(
                key=f"hosts[{index}].host",
                value=hosts[index]["host"],
                reason="is a wildcard, which HTTP-01 cannot prove",
                accepted="wildcards with challenge dns01, full names with http01",
                mend=set_command(["challenge"], "dns01"),
            )


def _host_names(hosts: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    for index, host in enumerate(hosts):
        try:
            yield index, dns_name(host.get("host") or "")
        except (ValueError, TypeError, AttributeError):
            continue


def _destinations(hosts: list[dict[str, Any]]) -> Iterator[Problem]:
    for index, host in enumerate(hosts):
        routes = host.get("routes")
        inline = [key for key in (*_DESTINATION, "path") if host.get(key) is not None]
        if not routes:
            for key in [key for key in _DESTINATION if key not in inline]:
                yield Problem(
                    key=f"hosts[{index}].{key}",
                    reason="is missing",
                    accepted="service, namespace and port of the destination, or a list of `routes`",
                    mend=set_command(["hosts", index, key], _DESTINATION[key]),
                )
            continue
        for key in inline:
            yield Problem(
                key=f"hosts[{index}].{key}",
                value=host[key],
                reason="contradicts the host's routes",
                accepted="service, namespace and port of the destination, or a list of `routes`",
                mend=f"pulumi config rm --path 'hosts[{index}].{key}'",
            )
        yield from _duplicate_paths(index, routes if isinstance(routes, list) else [])


def _duplicate_paths(index: int, routes: list[Any]) -> Iterator[Problem]:
    paths = [route.get("path", "/") if isinstance(route, dict) else MISSING for route in routes]
    for position, path in enumerate(paths):
        if path is not MISSING and path in paths[:position]:
            yield Problem(
                key=f"hosts[{index}].routes[{position}].path",
                value=path,
                reason="is the path of an earlier route, which takes every request",
                accepted="each path once",
                mend=set_command(["hosts", index, "routes", position, "path"], "/other"),
            )


def _key_size(certificate: Mapping[str, Any]) -> Iterator[Problem]:
    algorithm = certificate.get("algorithm", "ECDSA")
    size = certificate.get("size", 256)
    sizes = _SIZES.get(algorithm, ()) if isinstance(algorithm, str) else ()
    if sizes and size not in sizes:
        yield Problem(
            key="certificate.size",
            value=size,
            reason=f"is not a size of {algorithm} keys",
            accepted=", ".join(map(str, sizes)),
            mend=set_command(["certificate", "size"], sizes[0]),
        )


def _hsts(tls: Mapping[str, Any], acme: Mapping[str, Any]) -> Iterator[Problem]:
    # Browsers remember HSTS and then refuse the untrusted staging certificate with no way around it.
    if tls.get("hsts") and acme.get("issuer") == "staging":
        yield Problem(
            key="tls.hsts",
            value=tls["hsts"],
            reason="would lock browsers out: staging certificates are not trusted",
            accepted="0 with acme.issuer staging",
            mend=set_command(["tls", "hsts"], 0),
        )
