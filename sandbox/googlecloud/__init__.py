"""An emulator of the Google Cloud APIs that a stack on GKE uses, and the sandbox's only DNS server.

Managed zones live in memory. What is written through the Cloud DNS API is served over UDP and TCP at once; there is
no DNSSEC and there are no routing policies. The DNS server also knows static hosts and the cluster's Services, which
the API never lists. Beside it are IAM of zones and of the project, the metadata server for Pods, reserved addresses
and GKE clusters.
"""
