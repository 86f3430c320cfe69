"""A stand-in for `pulumi-resource-gcp`.

It behaves as the real provider (10.x, which wraps Terraform's) in what this project uses: record sets and
managed zones of Cloud DNS, looking either up, who may do what in a zone, custom roles, a project's number, and external
addresses of a region. It talks to the endpoints that the config names (`gcp:dnsCustomEndpoint` and others) and to no
other, so that it can never touch Google Cloud.

Sources of truth: https://github.com/hashicorp/terraform-provider-google, google/services, for what is sent,
and https://github.com/pulumi/pulumi-terraform-bridge for how it reports to the engine.
"""
