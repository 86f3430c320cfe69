"""The types of the components' inputs: each with its rule, in a form that pydantic reads.

Stack config uses the same types, so that a value is accepted by both or by neither. A rule is a function that returns
the normalised value, or raises ValueError with the reason alone: what reports the problem adds the key and the value.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from .shell import Expression
from .specs import acme, apis, cert_manager, client_ca, dns01, headers, istio, names, patterns, tls

T = TypeVar("T")

if TYPE_CHECKING:
    from pulumi import Input as Input
else:
    # The same as pulumi.Input. What reads stack config has no need of the SDK, which takes long to load.
    Input = Union[T, Awaitable[T], "Output[T]"]  # noqa: F821


@dataclass(frozen=True)
class Default:
    """The value of an input that is not set. Stands in the annotation of the field."""

    value: Any


COMPONENT_NAME = Default("NAME OF THE COMPONENT")
"""The default of an input that is named after its component."""


@dataclass(frozen=True)
class Accepts:
    """What a type accepts, in words if its bounds do not say it, and a value for the command that sets it."""

    phrase: str = ""
    example: Any = None
    secret: bool = False
    """Whether an error must not show the value."""


ONE_OF = "one_of"
"""The type of pydantic's error for another word. A report that says what is accepted does not repeat the words."""


class OneOf:
    """Accept one of these words. The schema of a Pulumi package has no type for it, as it has none for Literal."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if value not in self.words:
            raise PydanticCustomError(ONE_OF, f"is not one of {', '.join(self.words)}")
        return value


def accepted(annotation: Any) -> str:
    """Return what a type accepts, in words: `1 to 65535`; empty where nothing is known beyond its Python type."""
    for item in metadata(annotation):
        if isinstance(item, Accepts) and item.phrase:
            return item.phrase
        if isinstance(item, OneOf):
            return " or ".join(filter(None, [", ".join(item.words[:-1]), item.words[-1]]))
    bounds = {
        name: getattr(bound, name)
        for item in metadata(annotation)
        for bound in getattr(item, "metadata", [item])
        for name in ("ge", "le")
        if hasattr(bound, name)
    }
    return f"{bounds['ge']} to {bounds['le']}" if len(bounds) == 2 else ""


def example(annotation: Any) -> Any:
    """Return a value to show in a command that sets a key of this type."""
    for item in metadata(annotation):
        if isinstance(item, Accepts) and item.example is not None:
            return item.example
        if isinstance(item, OneOf):
            return item.words[0]
    return None


def metadata(annotation: Any) -> list[Any]:
    """Return the metadata of an annotation, from the outside in, through optional types, Inputs and lists."""
    if get_origin(annotation) is Annotated:
        inner, *own = get_args(annotation)
        return [*own, *metadata(inner)]
    if get_origin(annotation) in (Union, UnionType, Sequence):
        return metadata(get_args(annotation)[0])
    return []


_REFUSED = re.compile(r"[^\t\n\r -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def refused_character(text: str) -> str:
    """Return why YAML, a terminal or a log cannot hold a text; empty where they can.

    Refused are control characters other than tabs and ends of lines, and halves of surrogate pairs.
    """
    refused = _REFUSED.search(text)
    return f"has the character U+{ord(refused[0]):04X}" if refused else ""


def line(text: str) -> str:
    """Return a text of one line in which every character is visible."""
    hidden = next((character for character in text if not character.isprintable()), None)
    if hidden is not None:
        raise ValueError(f"has the character U+{ord(hidden):04X}, which is not visible")
    return text


def _matching(pattern: str, reason: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(reason)
        return text

    return check


google_name = _matching(
    r"[A-Za-z0-9]([A-Za-z0-9._:-]{0,126}[A-Za-z0-9])?",
    "is not a name in Google Cloud: letters, digits and inner . : - _",
)
"""Of a project, a cluster, a region or a managed zone."""

workload_pool = _matching(
    r"projects/[0-9]+/locations/global/workloadIdentityPools/[A-Za-z0-9.:-]+\.svc\.id\.goog",
    "is not projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog",
)
"""IAM wants the project's number in it."""

uid = _matching(r"[0-9a-f-]{36}", "is not the UID of an object: 36 hexadecimal digits and dashes")

role_id = _matching(r"[A-Za-z0-9_.]{3,64}", "is not 3 to 64 letters, digits, underscores and periods")
"""Of a custom role (https://cloud.google.com/iam/docs/creating-custom-roles)."""


_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def object_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels of Kubernetes objects.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    """
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if not _LABEL.fullmatch(name) or (slash and not _LABEL_PREFIX.fullmatch(prefix)):
            raise ValueError("has an invalid key: letters, digits and inner - _ . after an optional DOMAIN/")
        if value and not _LABEL.fullmatch(value):
            raise ValueError("has an invalid value: at most 63 letters, digits and inner - _ .")
    return dict(labels)


def integers(value: Any) -> Any:
    """Return a nested value with its whole numbers as integers: programs in other languages send floats."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: integers(item) for key, item in value.items()}
    return [integers(item) for item in value] if isinstance(value, list | tuple) else value


def ip_address(kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address], address: str) -> str:
    """Return an IPv4 or IPv6 address as text."""
    try:
        return str(kind(address))
    except ValueError:
        raise ValueError(f"is not an {kind.__name__.removesuffix('Address')} address") from None


def _refuse_boolean(value: Any) -> Any:
    """Refuse true and false, which Python counts as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("is not a whole number")
    return value


def _number_as_text(value: Any) -> Any:
    """Return a version as text: `pulumi config set` and YAML make a number of `1.2`."""
    return str(value) if isinstance(value, float) else value


NonEmpty = Annotated[Sequence[T], Field(min_length=1)]
"""A list of at least one item."""

Text = Annotated[str, Field(min_length=1)]
Number = Annotated[int, BeforeValidator(_refuse_boolean)]
Port = Annotated[Number, Field(ge=1, le=65535), Accepts(example=80)]
Seconds = Annotated[Number, Field(ge=1, le=3600), Accepts(example=60)]
Wait = Annotated[Number, Field(ge=0, le=3600), Accepts(example=60)]
Ttl = Annotated[Number, Field(ge=1, le=86400)]

Line = Annotated[str, AfterValidator(line)]
Identifier = Annotated[Line, Field(min_length=1), AfterValidator(names.refuse_placeholder)]
# A private key may have been put into a field for certificates.
Pem = Annotated[
    str, AfterValidator(client_ca.pem), Accepts("PEM certificates", Expression('"$(cat ca.pem)"'), secret=True)
]
KubernetesName = Annotated[
    str, AfterValidator(names.kubernetes_name), Accepts("at most 63 of a-z, 0-9 and inner hyphens", "NAME")
]
RouteNamespace = Annotated[
    str, AfterValidator(names.route_namespace), Accepts("a namespace, or `*` for all", "NAMESPACE")
]
ObjectReference = Annotated[str, AfterValidator(names.object_reference)]
HostName = Annotated[str, AfterValidator(names.dns_name), Accepts("a DNS name; `*.` may lead it", "shop.YOUR-DOMAIN")]
Domain = Annotated[str, AfterValidator(names.domain), Accepts("a DNS name without a wildcard", "YOUR-DOMAIN")]
Email = Annotated[str, AfterValidator(names.email_address), Accepts("an e-mail address", "YOU@YOUR-DOMAIN")]
Labels = Annotated[Mapping[str, T], AfterValidator(object_labels)]
Selector = Annotated[
    Mapping[str, T], Field(min_length=1), AfterValidator(object_labels), Accepts(example='{"istio":"ingressgateway"}')
]
GoogleName = Annotated[str, AfterValidator(google_name), AfterValidator(names.refuse_placeholder)]
WorkloadPool = Annotated[str, AfterValidator(workload_pool)]
AccountUid = Annotated[str, AfterValidator(uid), Accepts(example=dns01.ACCOUNT_UID)]
RoleId = Annotated[str, AfterValidator(role_id)]
Ipv4 = Annotated[str, AfterValidator(partial(ip_address, ipaddress.IPv4Address)), Accepts("an IPv4 address")]
Ipv6 = Annotated[str, AfterValidator(partial(ip_address, ipaddress.IPv6Address)), Accepts("an IPv6 address")]

Api = Annotated[str, OneOf(*apis.APIS)]
Challenge = Annotated[str, OneOf(*acme.CHALLENGES)]
Environment = Annotated[str, OneOf(*acme.ENVIRONMENTS)]
IssuerKind = Annotated[str, OneOf(*acme.ISSUER_KINDS)]
ClassField = Annotated[str, OneOf("class", "ingressClassName")]
MacKey = Annotated[str, AfterValidator(acme.mac_key), Accepts(example="HMAC_KEY", secret=True)]
Profile = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$"), Accepts(example="classic")]

ChartVersion = Annotated[str, AfterValidator(cert_manager.check_version), Accepts(cert_manager.ACCEPTED)]
ChartValues = Annotated[Mapping[str, Any], AfterValidator(integers)]
Digest = Annotated[
    str,
    AfterValidator(_matching(r"sha256:[0-9a-f]{64}", "is not sha256: and 64 hexadecimal digits")),
    Accepts("sha256: and 64 hexadecimal digits", "sha256:DIGEST"),
]
PodSecurity = Annotated[str, OneOf(*cert_manager.POD_SECURITY)]

TlsVersion = Annotated[str, BeforeValidator(_number_as_text), OneOf(*tls.VERSIONS)]
CipherSuite = Annotated[str, OneOf(*tls.CIPHER_SUITES)]
CaCertificates = Annotated[str, AfterValidator(client_ca.certificates), Accepts(secret=True)]
KeyAlgorithm = Annotated[str, OneOf(*tls.KEY_SIZES)]
KeyRotation = Annotated[str, OneOf(*tls.ROTATIONS)]
Hsts = Annotated[Number, Field(ge=0, le=tls.MAX_HSTS)]
Percentage = Annotated[Number, Field(ge=1, le=99), Accepts(example=33)]
Share = Annotated[Number, Field(ge=1, le=100), Accepts(example=10)]

RoutePath = Annotated[str, AfterValidator(headers.path_prefix), Accepts("a path that begins with /", "/")]
RouteRegex = Annotated[
    str, AfterValidator(patterns.path_regex), Accepts("a regular expression of RE2 for a whole path", "/v[0-9]+/.*")
]
Rewrite = Annotated[
    str, AfterValidator(patterns.rewrite), Accepts(r"a path that begins with /; \1 is a group of `regex`", "/")
]
HeaderName = Annotated[str, AfterValidator(headers.name), Accepts("the name of a header", "x-version")]
Origin = Annotated[str, AfterValidator(headers.origin), Accepts("https://HOST, or `*` for all", "https://YOUR-DOMAIN")]
Method = Annotated[str, AfterValidator(headers.method), Accepts("a method in capitals", "PUT")]
HeaderValue = Annotated[str, AfterValidator(headers.value), Accepts("visible ASCII", "beta")]
ResponseHeaders = Annotated[
    Mapping[str, T],
    AfterValidator(headers.response),
    Accepts("an object of header names and values", '{"x-frame-options":"DENY"}'),
]
Retries = Annotated[Number, Field(ge=0, le=istio.MAX_RETRIES), Accepts(example=2)]
