"""A stand-in for `pulumi-resource-gcp`.

It behaves as the real provider (10.x, which wraps Terraform's) in what this project uses: record sets of Cloud DNS, the
IAM policy of a managed zone, custom roles, external addresses of a region, and looking up zones, record sets, clusters
and projects. It talks to the endpoints that the config names (`gcp:dnsCustomEndpoint` and others) and to no other, so
that it can never touch Google Cloud.

Sources of truth: https://github.com/hashicorp/terraform-provider-google, google/services, for what is sent,
and https://github.com/pulumi/pulumi-terraform-bridge for how it reports to the engine.
"""
