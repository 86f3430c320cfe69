"""What a gateway does, whichever API says it: listeners, and the routes that they serve.

Whatever reads a value that the preview does not know raises `UnknownValueError`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pulumi_policy.proxy import UnknownValueError

from components.specs import istio, names
from policies.objects import KubernetesObject, get

ANY_NAMESPACE = istio.ANY_NAMESPACE

_TLS_PROTOCOLS = {"HTTPS", "TLS"}
_TERMINATING_MODES = {"SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL", "Terminate"}
"""The modes in which the gateway presents a certificate, in Istio's words and in those of the Gateway API."""


@dataclass(frozen=True)
class Listener(ABC):
    """A port of a gateway, for some hosts."""

    gateway: KubernetesObject
    """The Gateway, or the ListenerSet of one."""
    position: int
    spec: Any

    word: ClassVar[str]
    """What the API calls it."""
    certificate_key: ClassVar[str]
    """The key by which it names its certificate's Secret."""

    @property
    def where(self) -> str:
        """The listener as findings name it."""
        return f"{self.gateway.where}, {self.word} {self.label}"

    @property
    def label(self) -> str:
        """Its name, else its position."""
        try:
            return self.name or f"number {self.position}"
        except UnknownValueError:
            return f"number {self.position}"

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name, empty if it has none."""

    @property
    @abstractmethod
    def port(self) -> float | None:
        """The number of its port. Numbers arrive as floats."""

    @property
    @abstractmethod
    def protocol(self) -> str:
        """Its protocol in capitals."""

    @property
    def speaks_tls(self) -> bool:
        """Whether the protocol is one over TLS."""
        return self.protocol in _TLS_PROTOCOLS

    @property
    def encrypted(self) -> bool:
        """Whether traffic is encrypted. A TLS protocol without TLS settings is not."""
        return self.speaks_tls and bool(self.tls())

    @property
    @abstractmethod
    def mode(self) -> str:
        """Its TLS mode, empty if none applies."""

    @property
    def terminates_tls(self) -> bool:
        """Whether the gateway presents a certificate. A listener without a mode is judged as if it did."""
        return self.speaks_tls and (not self.mode or self.presents_certificate)

    @property
    def presents_certificate(self) -> bool:
        """Whether the mode is one in which the gateway presents a certificate."""
        return self.mode in _TERMINATING_MODES

    @property
    def redirects_to_https(self) -> bool:
        """Whether it redirects every request to HTTPS, without a route."""
        return False

    @abstractmethod
    def weak_versions(self) -> Iterator[str]:
        """Yield why it may speak an old version of TLS."""

    @property
    @abstractmethod
    def cipher_suites(self) -> Sequence[str]:
        """The cipher suites that it lists."""

    @property
    @abstractmethod
    def credentials(self) -> Sequence[tuple[str, str]]:
        """Namespace and name of its certificates' Secrets: several have keys of different types."""

    @property
    @abstractmethod
    def hosts(self) -> Iterator[tuple[str, str]]:
        """The namespace whose routes a host accepts (`*` for all), and the host (`*` for all)."""

    def tls(self, *path: str) -> Any:
        """Return the TLS settings or one of them, None if not set."""
        return get(self.spec, "tls", *path)


@dataclass(frozen=True)
class Parent:
    """The Gateway or ListenerSet that a route attaches to, or some listeners of it."""

    group: str
    kind: str
    namespace: str
    name: str
    section: str | None = None
    """The listener's name, None for all."""
    port: float | None = None
    """The listener's port, None for all."""

    def includes(self, listener: Listener) -> bool:
        """Tell whether a listener of the Gateway is among those that are meant."""
        return self.section in (None, listener.name) and self.port in (None, listener.port)


@dataclass(frozen=True)
class Route(ABC):
    """An object that says what listeners answer for some hosts."""

    obj: KubernetesObject

    @property
    def where(self) -> str:
        """The route as findings name it."""
        return self.obj.where

    @abstractmethod
    def parents(self) -> Iterator[Parent]:
        """Yield what it attaches to."""

    @abstractmethod
    def applications(self, parent: Parent) -> Iterator[str]:
        """Yield the names of its parts for a Gateway that do anything but redirect to HTTPS."""

    @abstractmethod
    def hosts(self) -> Sequence[str]:
        """Return its hosts, `*` for all."""

    def attaches(self, listener: Listener) -> bool:
        """Tell whether a listener serves one of the hosts."""
        return any(
            namespace in (ANY_NAMESPACE, self.obj.namespace)
            and any(names.common_host(host, own) for own in self.hosts())
            for namespace, host in listener.hosts
        )
