"""`python -m deploy.bootstrap.rbac VERB`: prints the roles of the identities, and checks them against an audit log."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from deploy.bootstrap.rbac.manifests import FILES, Place, manifests, rights, roles
from deploy.bootstrap.rbac.rights import Right, compare, uses

_DEFAULT = Place()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: 0 if the roles fit, 1 if they do not, 2 if there is nothing to compare."""
    args = _parser().parse_args(arguments)
    try:
        return int(args.work(args))
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 2


def _manifests(args: argparse.Namespace) -> int:
    for identity in args.identity or FILES:
        user = f"pulumi-{identity}-{args.stack}@{args.project}.iam.gserviceaccount.com"
        if identity == "deploy" and not args.no_cert_manager:
            reason = "like cert-manager, it writes webhooks, and the Secrets and Pods of every namespace"
            print(f"warning: {user} amounts to cluster-admin: {reason}; or add --no-cert-manager", file=sys.stderr)
        for manifest in manifests(identity, user, _place(args)):
            print("---")
            print(yaml.safe_dump(manifest, sort_keys=False), end="")
    return 0


def _compare(args: argparse.Namespace) -> int:
    always, seldom = rights(roles(args.identity, _place(args)))
    used = list(uses(args.log.read_text().splitlines(), args.user))
    if not used:
        raise ValueError(f"{args.log} has no request of {args.user}")
    comparison = compare(always, used, seldom)
    _list("missing: asked for, but not granted by any role", comparison.missing)
    _list("unused: granted, but never asked for", comparison.unused)
    _list("refused dry runs, for which a preview shows the program's inputs", comparison.refused_dry_runs)
    if comparison.missing or comparison.unused:
        return 1
    print(f"the roles of {args.identity} are what {args.user} uses")
    return 0


def _list(title: str, rights: Sequence[Right]) -> None:
    if rights:
        print(f"{title}:", *rights, sep="\n  ")


def _place(args: argparse.Namespace) -> Place:
    return Place(
        gateways=args.gateway or _DEFAULT.gateways,
        cert_manager_namespace=args.cert_manager_namespace,
        secrets=args.secret or _DEFAULT.secrets,
        installs=not args.no_cert_manager,
        control_plane_namespace=args.control_plane_namespace,
        mesh_config=args.mesh_config,
        applications=args.application or _DEFAULT.applications,
        stack=args.stack,
    )


def _parser() -> argparse.ArgumentParser:
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--gateway", action="append", metavar="NAMESPACE/SERVICE", help="a gateway, may be repeated")
    place.add_argument("--cert-manager-namespace", default=_DEFAULT.cert_manager_namespace, metavar="NAMESPACE")
    place.add_argument("--control-plane-namespace", default=_DEFAULT.control_plane_namespace, metavar="NAMESPACE")
    place.add_argument(
        "--mesh-config", default=_DEFAULT.mesh_config, metavar="CONFIGMAP", help="istio-REVISION, or istio"
    )
    place.add_argument(
        "--application",
        action="append",
        metavar="NAMESPACE",
        help="one of an application, for mtls and the Gateway API, may be repeated",
    )
    place.add_argument("--stack", required=True, metavar="NAME", help="the stack")
    place.add_argument("--secret", action="append", metavar="NAME", help="a certificate's Secret, may be repeated")
    place.add_argument("--no-cert-manager", action="store_true", help="the stack has certManager.install false")

    parser = argparse.ArgumentParser(prog="python -m deploy.bootstrap.rbac", description=__doc__.partition(": ")[2])
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("manifests", parents=[place], help="print roles and bindings for `kubectl apply -f -`")
    verb.add_argument("--project", required=True, help="the project of the identities")
    verb.add_argument("--identity", action="append", choices=list(FILES), help="only this identity, may be repeated")
    verb.set_defaults(work=_manifests)

    verb = verbs.add_parser("compare", parents=[place], help="compare an identity's roles with what a user did")
    verb.add_argument("log", type=Path, metavar="AUDIT_LOG", help="the API server's log, one event per line")
    verb.add_argument("--user", required=True, help="the user whose events count")
    verb.add_argument("--identity", required=True, choices=list(FILES))
    verb.set_defaults(work=_compare)
    return parser


if __name__ == "__main__":
    sys.exit(main())
