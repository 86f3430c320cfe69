"""cert-manager's Helm chart, made from its module's source the way its release process makes it.

The published chart is these files with a version: see ``make/manifests.mk`` of cert-manager. The CRDs are among the
templates already, behind the values ``crds.enabled`` and ``crds.keep``.
"""

import shutil
from pathlib import Path

import yaml


def cert_manager(module: Path, version: str, folder: Path) -> None:
    """Write the chart into a folder that does not exist yet.

    Args:
        module: cert-manager's source.
        version: its version, such as ``v1.21.2``; it becomes the chart's and the images'.
        folder: where ``Chart.yaml`` will be.
    """
    source = module / "deploy" / "charts" / "cert-manager"
    (folder / "templates").mkdir(parents=True)
    templates = (f"templates/{template.name}" for template in (source / "templates").iterdir())
    for file in (".helmignore", "values.yaml", "values.schema.json", *templates):
        shutil.copyfile(source / file, folder / file)

    readme = (source / "README.template.md").read_text()
    (folder / "README.md").write_text(readme.replace("{{RELEASE_VERSION}}", version))
    metadata = yaml.safe_load((source / "Chart.yaml").read_text())
    metadata["annotations"] |= {
        "artifacthub.io/prerelease": str("-" in version).lower(),
        "artifacthub.io/signKey": (source / "signkey_annotation.txt").read_text(),
    }
    metadata |= {"version": version, "appVersion": version}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False))
