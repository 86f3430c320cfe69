"""The sandbox's node agent: Pods become processes.

It is scheduler, kubelet, container runtime and load-balancer controller for one node called `sandbox`, as far as the
charts of Istio and cert-manager need them:

- every Pod is bound to the node and has its own network namespace, with an address on the bridge `pods`;
- a container is the program that replaces its image (`images.py`), run with the Pod's command, arguments, environment
  and volumes in its own root directory;
- init containers, sidecars, probes, restarts with back-off, termination, conditions and Events work as in a kubelet.

It deliberately does not isolate (a Pod sees the machine's files, read-only, and every process); honour
securityContext, sysctls, resources, affinity, taints, priorities, readiness gates, `envFrom`, `subPath`, `workingDir`
or the host network (containers run as the namespace's root); pull images; or serve `kubectl exec`, `attach`,
`port-forward`, TCP and gRPC probes and service links other than `KUBERNETES_*`.
"""

NODE_NAME = "sandbox"
