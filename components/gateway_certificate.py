"""The gateway's certificates, awaited until the ACME server has signed them.

The Secrets are in the namespace of the gateway's Pods, where istiod may read them. They outlive their Certificates:
deleting one would spend the CA's weekly limit of identical certificates.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi

from .inputs import check_inputs, computed, resource_label
from .kube.credentials import credentials_of
from .kube.diagnosis import WAIT_FOR_READY, AwaitedObject, explain_on_failure, timeouts
from .shared_args import GatewayCertificateArgs
from .specs import acme, cert_manager, gateway_api, tls


class GatewayCertificate(pulumi.ComponentResource):
    """One Certificate for each of the credentials; all are Ready when this component is.

    Example: `GatewayCertificate("certificate", {"issuer": issuers.names["prod"], "credentials": credentials})`
    """

    secret: pulumi.Output[str]
    """The first certificate's Secret."""
    not_after: pulumi.Output[str]
    """When the first certificate expires, in RFC 3339."""
    renewal_time: pulumi.Output[str]
    """When the first certificate is renewed, in RFC 3339."""

    def __init__(self, name: str, args: GatewayCertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:GatewayCertificate", name, {}, opts)
        inputs = check_inputs(self, name, args, GatewayCertificateArgs)
        hooks = explain_on_failure(self, credentials_of(self))
        gateway, managed = inputs["http_gateway"], inputs["managed"]
        certificates = []
        for position, credential in enumerate(inputs["credentials"]):
            annotations: dict[str, Any] = {**WAIT_FOR_READY}
            if gateway is not None:
                annotations |= computed(gateway_api.challenge_annotations, gateway, position, managed)
            certificate = AwaitedObject(
                f"{name}-{resource_label(credential['secret_name'], position)}",
                kind="Certificate",
                metadata={
                    "name": credential["secret_name"],
                    "namespace": inputs["namespace"],
                    "annotations": annotations,
                },
                spec=certificate_spec(credential, inputs),
                opts=pulumi.ResourceOptions(parent=self, custom_timeouts=timeouts(inputs["timeout"]), hooks=hooks),
            )
            certificates.append(certificate)
        statuses = pulumi.Output.all(*(certificate.status for certificate in certificates))
        self.secret = pulumi.Output.from_input(inputs["credentials"][0]["secret_name"])
        self.not_after = statuses.apply(lambda known: earliest(known, "notAfter"))
        self.renewal_time = statuses.apply(lambda known: earliest(known, "renewalTime"))
        self.register_outputs({"secret": self.secret, "notAfter": self.not_after, "renewalTime": self.renewal_time})


def earliest(statuses: Iterable[dict[str, Any] | None], field: str) -> str:
    """Return the first time among the Certificates' statuses; times of one zone and format sort as text."""
    return min((str(status[field]) for status in statuses if status and status.get(field)), default="")


def certificate_spec(credential: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Certificate's spec (https://cert-manager.io/docs/reference/api-docs/); `inputs` has all fields."""
    key = inputs["key"]
    spec: dict[str, Any] = {
        "secretName": credential["secret_name"],
        "issuerRef": {"group": cert_manager.GROUP, "kind": inputs["issuer_kind"], "name": inputs["issuer"]},
        "dnsNames": credential["hosts"],
        "privateKey": {
            "algorithm": key["algorithm"],
            "size": key["size"] or tls.KEY_SIZES[key["algorithm"]][0],
            "rotationPolicy": key["rotation"],
        },
    }
    if percentage := inputs["renew_before_percentage"]:
        spec["renewBeforePercentage"] = percentage
    first, *_ = credential["hosts"]
    # Whether a name is too long for a common name is not known of an Output; browsers read dnsNames alone.
    if isinstance(first, str) and (common_name := acme.common_name([first], inputs["profile"])):
        spec["commonName"] = common_name
    return spec
