"""The inputs of `CertManager`, without Pulumi: the stack config has some of these fields."""

from typing import Annotated, NotRequired, TypedDict

from .fields import ChartValues, ChartVersion, Default, Digest, Identifier, Input, KubernetesName, PodSecurity
from .specs import cert_manager


class CertManagerArgs(TypedDict):
    """The inputs of `CertManager`."""

    install: NotRequired[Annotated[bool, Default(True)]]
    """False uses the cert-manager that the cluster has, and creates nothing."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default("cert-manager")]]
    """The namespace of cert-manager. It is created with the release, and leader election stays in it."""
    chart: NotRequired[Annotated[Input[Identifier], Default(cert_manager.CHART)]]
    """An OCI reference, or the path of a packaged chart or of a folder on this machine."""
    version: NotRequired[Annotated[Input[ChartVersion], Default(cert_manager.VERSION)]]
    """The version of the chart."""
    digest: NotRequired[Input[Digest] | None]
    """The digest of the chart's manifest for an OCI reference, of the file for a `.tgz`. The digest of the official
    chart at the default version is built in. Without a digest, a version is whatever its registry serves."""
    keyring: NotRequired[Input[Identifier] | None]
    """The path of a keyring, with which the chart's signature (`.prov`) is verified."""
    pod_security: NotRequired[Annotated[Input[PodSecurity], Default(cert_manager.POD_SECURITY[0])]]
    """The Pod Security Standard that the namespace enforces."""
    values: NotRequired[Annotated[Input[ChartValues], Default({})]]
    """Values of the chart, merged over the component's own."""
