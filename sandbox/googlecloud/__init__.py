"""An emulator of Google Cloud DNS: the v1 REST API, and DNS answered from the same data.

Managed zones live in memory. What is written through REST is served authoritatively over UDP and TCP at
once; there is no propagation delay, no DNSSEC and no routing policies. It is also the only resolver of the
sandbox's network namespace, so it knows two more kinds of names, which REST never lists: static hosts, and
the cluster's Services.

Beside it are the other APIs of Google's that a stack on GKE talks to, as far as it does.
"""
