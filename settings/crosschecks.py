"""What no single field can tell: rules between keys.

They look at the raw config, not at the validated one, so that they are reported together with the errors of single
fields. What has the wrong type is passed over here: its own field has said so.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Set
from typing import Any

from components.rules import acme, cert_manager, kubeconfig, names, routes, tls
from components.rules.problem import Problem

from .problems import HIDDEN, MISSING, Path, config_problem, dotted, remove_command, set_command

_DESTINATION = {"service": "NAME", "namespace": "NAME", "port": 80}


def cross_checks(raw: Mapping[str, Any], secret: Set[str]) -> list[Problem]:
    """Return the problems between keys, in the order of the config table.

    Args:
        raw: the config, decoded and not validated.
        secret: keys whose values are encrypted, and so must not be shown.
    """
    return list(_CrossChecks(raw, secret).all())


class _CrossChecks:
    """The rules, over one config, or over what one gateway of it has."""

    def __init__(
        self, raw: Mapping[str, Any], secret: Set[str], gateway: Path = (), own: Set[str] = frozenset()
    ) -> None:
        """Look at a config.

        Args:
            raw: the config; of a gateway, with the stack's keys where the gateway has none.
            secret: keys whose values must not be shown.
            gateway: where in the stack's config the gateway is; empty for the stack's own keys.
            own: the keys that the gateway itself has.
        """
        self.raw = raw
        self.secret = secret
        self.gateway = gateway
        self.own = own
        self.hosts = _objects(raw.get("hosts"))

    def all(self) -> Iterator[Problem]:
        """Yield every problem."""
        yield from self._cluster()
        yield from self._kubeconfig()
        yield from self._issuers()
        yield from self._chart()
        yield from self._of_a_gateway()
        yield from self._gateways()

    def _of_a_gateway(self) -> Iterator[Problem]:
        yield from self._duplicate_hosts()
        yield from self._wildcards()
        yield from self._destinations()
        yield from self._key_size()
        yield from self._hsts()

    def _problem(self, path: Path, reason: str, accepted: str, fix: str, value: Any = MISSING) -> Problem:
        """Return a problem of a key; in a gateway, of the gateway's."""
        path = self._at(path)
        shown = HIDDEN if value is not MISSING and path[0] in self.secret else value
        return config_problem(path, accepted, fix, value=shown, reason=reason)

    def _at(self, path: Path) -> Path:
        return [*self.gateway, *path]

    def _set(self, path: Path, value: Any) -> str:
        return set_command(self._at(path), value)

    def _remove(self, path: Path) -> str:
        return remove_command(self._at(path))

    def _gateways(self) -> Iterator[Problem]:
        given = _objects(self.raw.get("gateways"))
        for number, gateway in enumerate(given):
            raw = {**self.raw, **gateway, "gateways": []}
            yield from _CrossChecks(raw, self.secret, ("gateways", number), gateway.keys())._of_a_gateway()
        yield from self._shared(given)

    def _shared(self, gateways: list[Mapping[str, Any]]) -> Iterator[Problem]:
        """Yield what two gateways cannot both have: a name, a Service, a host, a Secret."""
        seen: dict[tuple[str, Any], tuple[Path, str]] = {}
        places: list[tuple[str | int, ...]] = [(), *(("gateways", number) for number in range(len(gateways)))]
        for place, raw in zip(places, (self.raw, *gateways), strict=True):
            for what, path, value in _unique(raw, place):
                first, key = seen.setdefault((what, value), (place, dotted(path)))
                if first != place:  # within one gateway another rule compares
                    accepted, fix = f"each {what} once, in all gateways", set_command(path, "NAME")
                    yield config_problem(path, accepted, fix, value=value, reason=f"is {key} as well")

    def _section(self, key: str) -> Mapping[str, Any]:
        section = self.raw.get(key)
        return section if isinstance(section, dict) else {}

    def _cluster(self) -> Iterator[Problem]:
        for key in ("kubeconfig", "context"):
            if self.raw.get("gke") and self.raw.get(key):
                yield self._problem(
                    [key],
                    "contradicts gke",
                    "kubeconfig and context, or gke",
                    f"pulumi config rm {key}",
                    HIDDEN if key == "kubeconfig" else self.raw[key],
                )

    def _kubeconfig(self) -> Iterator[Problem]:
        given = self.raw.get("kubeconfig")
        content = json.dumps(given) if isinstance(given, dict) else given
        if not isinstance(content, str) or not kubeconfig.is_content(content):
            return
        accepted = "a path; content without credentials; content with them as a secret; or gke"
        fix = "pulumi config set --secret kubeconfig < KUBECONFIG"
        try:
            embedded = kubeconfig.embedded_credentials(content)
        except ValueError as error:
            yield self._problem(["kubeconfig"], str(error), accepted, fix, HIDDEN)
            return
        if embedded and "kubeconfig" not in self.secret:
            reason = f"holds credentials in plain text, {', '.join(embedded)}: replace them, the stack's file had them"
            yield self._problem(["kubeconfig"], reason, accepted, fix, HIDDEN)

    def _issuers(self) -> Iterator[Problem]:
        section = self._section("acme")
        create = section.get("createIssuers")
        if create is None:
            create = self._section("certManager").get("install", True)
        kind = section.get("issuerKind", acme.CLUSTER_ISSUER)
        path: Path = ["acme", "issuerKind"]
        if str(create).lower() != "false" and kind == acme.ISSUER and self.raw.get("challenge") == "dns01":
            # cert-manager's --issuer-ambient-credentials would lend them to every Issuer of the cluster.
            reason = "cannot prove names by dns01: cert-manager lends its access to Cloud DNS to ClusterIssuers alone"
            fix = set_command(path, acme.CLUSTER_ISSUER)
            yield self._problem(path, reason, "ClusterIssuer with dns01", fix, kind)
        for key in ("dnsNames", "dnsZones") if kind == acme.ISSUER else ():
            if section.get(key):
                reason = "has no effect: an Issuer signs for the gateway's namespace alone"
                fix = f"pulumi config rm --path acme.{key}"
                yield self._problem(["acme", key], reason, "a list with ClusterIssuers", fix, section[key])

        for number, gateway in enumerate(_objects(self.raw.get("gateways"))) if kind == acme.ISSUER else ():
            theirs, own = (_place_of(each)[0] for each in (gateway, self.raw))
            if theirs != own:
                where: Path = ["gateways", number, "ingress", "namespace"]
                reason = f"has no issuer: the stack's are Issuers of {own}, and sign for that namespace alone"
                fix = f"{set_command(where, own)}, or {set_command(path, acme.CLUSTER_ISSUER)}"
                yield self._problem(where, reason, f"{own}, or any with ClusterIssuers", fix, theirs)

    def _chart(self) -> Iterator[Problem]:
        section = self._section("certManager")
        chart = section.get("chart", cert_manager.CHART)
        for key in ("digest", "keyring") if isinstance(chart, str) else ():
            if not section.get(key):
                continue
            try:
                if key == "digest":
                    cert_manager.pinned(chart, str(section[key]))
                else:
                    cert_manager.check_signable(chart)
            except ValueError as error:
                path: Path = ["certManager", "chart"]
                fix = f"{set_command(path, 'CHART.tgz')}, or pulumi config rm --path certManager.{key}"
                accepted = f"an OCI reference or a .tgz with certManager.{key}"
                yield self._problem(path, str(error), accepted, fix, chart)

    def _duplicate_hosts(self) -> Iterator[Problem]:
        seen: dict[str, int] = {}
        for index, name in self._host_names():
            if name in seen:
                yield self._problem(
                    ["hosts", index, "host"],
                    f"is the same name as {dotted(self._at(['hosts', seen[name], 'host']))}",
                    "each name once; give one host several `routes`",
                    f"{self._remove(['hosts', index])}, or {self._set(['hosts', index, 'host'], 'other.YOUR-DOMAIN')}",
                    self.hosts[index]["host"],
                )
            seen.setdefault(name, index)

    def _wildcards(self) -> Iterator[Problem]:
        for index, name in self._host_names():
            if names.is_wildcard(name) and self.raw.get("challenge", "http01") == "http01":
                yield self._problem(
                    ["hosts", index, "host"],
                    "is a wildcard, which HTTP-01 cannot prove",
                    "wildcards with challenge dns01, full names with http01",
                    self._set(["challenge"], "dns01"),
                    self.hosts[index]["host"],
                )

    def _host_names(self) -> Iterator[tuple[int, str]]:
        for index, host in enumerate(self.hosts):
            try:
                yield index, names.dns_name(host.get("host") or "")
            except (ValueError, TypeError, AttributeError):
                continue

    def _destinations(self) -> Iterator[Problem]:
        accepted = "service, namespace and port of the destination, or a list of `routes`"
        for index, host in enumerate(self.hosts):
            routes = host.get("routes")
            inline = [key for key in (*_DESTINATION, "path") if host.get(key) is not None]
            if not routes:
                for key in [key for key in _DESTINATION if key not in inline]:
                    path: Path = ["hosts", index, key]
                    yield self._problem(path, "is missing", accepted, self._set(path, _DESTINATION[key]))
                continue
            for key in inline:
                yield self._problem(
                    ["hosts", index, key],
                    "contradicts the host's routes",
                    accepted,
                    self._remove(["hosts", index, key]),
                    host[key],
                )
            yield from self._duplicate_paths(index, routes if isinstance(routes, list) else [])

    def _duplicate_paths(self, index: int, routes: list[Any]) -> Iterator[Problem]:
        paths = [route.get("path", "/") if isinstance(route, dict) else MISSING for route in routes]
        for position, path in enumerate(paths):
            if path is not MISSING and path in paths[:position]:
                where: Path = ["hosts", index, "routes", position, "path"]
                reason = "is the path of an earlier route, which takes every request"
                yield self._problem(where, reason, "each path once", self._set(where, "/other"), path)

    def _key_size(self) -> Iterator[Problem]:
        certificate = self._section("certificate")
        algorithm, size = certificate.get("algorithm", "ECDSA"), certificate.get("size")
        sizes = tls.KEY_SIZES.get(algorithm, ()) if isinstance(algorithm, str) else ()
        if sizes and size is not None and size not in sizes and self._has("certificate"):
            path = ["certificate", "size"]
            accepted = ", ".join(map(str, sizes))
            yield self._problem(path, f"is not a size of {algorithm} keys", accepted, self._set(path, sizes[0]), size)

    def _hsts(self) -> Iterator[Problem]:
        # Browsers remember HSTS and then refuse the untrusted staging certificate with no way around it.
        hsts, path = self._section("tls").get("hsts"), ["tls", "hsts"]
        if hsts and self._section("acme").get("issuer") == "staging" and self._has("tls"):
            reason = "would lock browsers out: staging certificates are not trusted"
            yield self._problem(path, reason, "0 with acme.issuer staging", self._set(path, 0), hsts)

    def _has(self, key: str) -> bool:
        """Whether a key is this gateway's own: one of the stack is reported there."""
        return not self.gateway or key in self.own


def _objects(given: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; what is something else has been refused by its own field."""
    return [each if isinstance(each, dict) else {} for each in given] if isinstance(given, list) else []


def _place_of(raw: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the namespace and the Service of a gateway."""
    ingress = found if isinstance(found := raw.get("ingress"), dict) else {}
    return ingress.get("namespace", routes.NAMESPACE), ingress.get("service", routes.SERVICE)


def _unique(raw: Mapping[str, Any], place: tuple[str | int, ...]) -> Iterator[tuple[str, Path, Any]]:
    """Yield what no other gateway may have: what it is, where, and its value."""
    if raw.get("name"):
        yield "name", [*place, "name"], raw["name"]
    namespace, service = _place_of(raw)
    yield "Service", [*place, "ingress", "service"], f"{namespace}/{service}"
    certificate = found if isinstance(found := raw.get("certificate"), dict) else {}
    default = f"{raw['name']}-certs" if raw.get("name") else routes.CREDENTIAL
    yield "Secret", [*place, "certificate", "secretName"], f"{namespace}/{certificate.get('secretName', default)}"
    for index, host in enumerate(_objects(raw.get("hosts"))):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            yield "host", [*place, "hosts", index, "host"], names.dns_name(host.get("host") or "")
