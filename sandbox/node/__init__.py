"""The sandbox's node agent: Pods become processes.

It does the work of a scheduler, a kubelet, a container runtime and a cloud's load-balancer controller for one node
called `sandbox`, as far as charts of the kind this project installs need them:

- every Pod is bound to the node; each has a network namespace and an address of its own on the bridge `pods`;
- a container is the program that stands for its image (`images.py`), with the Pod's own command, arguments,
  environment and volumes, in a root directory of its own;
- init containers, sidecars, probes, restarts with back-off, termination, conditions and Events are a kubelet's.

What it deliberately does not do: isolate (a Pod sees the machine's files, read-only, and every process); honour
securityContext, sysctls, resources, affinity, taints or priorities (containers run as the namespace's root); pull
images; `kubectl exec`, `attach` and `port-forward`; gRPC probes; service links other than `KUBERNETES_*`.
"""

NODE_NAME = "sandbox"
