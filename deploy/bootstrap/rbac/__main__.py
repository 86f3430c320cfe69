"""`python -m deploy.bootstrap.rbac`: the roles of the identities, and the proof by an audit log that they fit."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from deploy.bootstrap.rbac import audit
from deploy.bootstrap.rbac.manifests import FILES, Place, manifests, rights, roles
from deploy.bootstrap.rbac.rules import Right, as_rules

_DEFAULT = Place()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: 0 when roles fit, 1 when they do not, 2 when there is nothing to compare."""
    args = _parser().parse_args(arguments)
    try:
        return int(args.work(args))
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 2


def _manifests(args: argparse.Namespace) -> int:
    place = _place(args)
    for identity in args.identity or FILES:
        user = f"pulumi-{identity}-{args.stack}@{args.project}.iam.gserviceaccount.com"
        for each in manifests(identity, args.stack, user, place):
            print("---")
            print(yaml.safe_dump(each, sort_keys=False), end="")
    return 0


def _rules(args: argparse.Namespace) -> int:
    used = {use.right for use in _uses(args) if not use.rehearsed}
    for namespace in sorted({right.namespace for right in used}):
        print(f"# {f'in {namespace}' if namespace else 'cluster-wide'}")
        print(yaml.safe_dump(as_rules(right for right in used if right.namespace == namespace), sort_keys=False))
    return 0


def _compare(args: argparse.Namespace) -> int:
    always, seldom = rights(roles(args.identity, _place(args)))
    found = audit.compare(always, _uses(args), seldom)
    _list("missing: asked for, and given by no role", found.missing)
    _list("unused: given, and never asked for", found.unused)
    _list("refused dry runs, for which a preview shows the program's inputs", found.rehearsed)
    if found.good:
        print(f"the roles of {args.identity} are what {args.user} uses")
    return 0 if found.good else 1


def _uses(args: argparse.Namespace) -> list[audit.Use]:
    with args.log.open() as lines:
        found = list(audit.uses(lines, args.user))
    if not found:
        raise ValueError(f"{args.log} has nothing that {args.user} did")
    return found


def _list(title: str, found: Iterable[Right]) -> None:
    lines = [f"  {right}" for right in found]
    if lines:
        print("\n".join([f"{title}:", *lines]))


def _place(args: argparse.Namespace) -> Place:
    return Place(
        args.gateway or _DEFAULT.gateways,
        args.cert_manager_namespace,
        args.secret or _DEFAULT.secrets,
        not args.no_cert_manager,
        args.control_plane_namespace,
        args.mesh_config,
        args.dashboard,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.bootstrap.rbac", description=__doc__.partition(": ")[2])
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = verbs.add_parser("manifests", help="print roles and bindings for `kubectl apply -f -`")
    verb.add_argument("--stack", required=True, metavar="NAME", help="the stack")
    verb.add_argument("--project", required=True, help="the project of the identities")
    verb.add_argument("--identity", action="append", choices=list(FILES), help="only this one's, may be repeated")
    _add_place(verb)
    verb.set_defaults(work=_manifests)

    verb = verbs.add_parser("rules", help="print the rules that allow what a user did, and nothing else")
    _add_log(verb)
    verb.set_defaults(work=_rules)

    verb = verbs.add_parser("compare", help="compare an identity's roles with what a user did")
    _add_log(verb)
    verb.add_argument("--identity", required=True, choices=list(FILES))
    _add_place(verb)
    verb.set_defaults(work=_compare)
    return parser


def _add_log(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("log", type=Path, metavar="AUDIT_LOG", help="of the API server, an event a line")
    verb.add_argument("--user", required=True, help="whose events")


def _add_place(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--gateway", action="append", metavar="NAMESPACE/SERVICE", help="a gateway, may be repeated")
    verb.add_argument("--cert-manager-namespace", default=_DEFAULT.cert_manager_namespace, metavar="NAMESPACE")
    verb.add_argument("--control-plane-namespace", default=_DEFAULT.control_plane_namespace, metavar="NAMESPACE")
    verb.add_argument(
        "--mesh-config", default=_DEFAULT.mesh_config, metavar="CONFIGMAP", help="istio-REVISION, or istio"
    )
    verb.add_argument("--dashboard", default=_DEFAULT.dashboard, metavar="CONFIGMAP", help=argparse.SUPPRESS)
    verb.add_argument("--secret", action="append", metavar="NAME", help="a certificate's Secret, may be repeated")
    verb.add_argument("--no-cert-manager", action="store_true", help="the stack has certManager.install false")


if __name__ == "__main__":
    sys.exit(main())
