"""A GKE cluster with Istio on one Linux machine: the real control planes as processes in namespaces.

In Python, three calls start a sandbox, run a command in it and end it:

    for status in start("name", provide(Console()), timeout=180):  # instance.start, provision.provide
        ...
    sandbox = Instance.require("name")
    subprocess.run(sandbox.command(["kubectl", "get", "pods"], Path.cwd()), env=sandbox.environment())
    sandbox.end()

README.md says what runs and why, and lists the modules from the outside in.
"""
