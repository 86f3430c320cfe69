"""A stand-in for `pulumi-resource-kubernetes`.

It behaves as the real provider (4.34) in what this project uses: any object of the API by server-side apply, the
annotation `pulumi.com/waitFor` with one condition, and `helm.sh/v3:Release`. It has no functions, no YAML, Kustomize or
Patch resources, no client-side apply, no other `pulumi.com/` annotations, and none of the rules by which the real one
waits for Pods, Deployments, Services and the like: an object without `pulumi.com/waitFor` counts as ready once it
exists.

Source of truth: https://github.com/pulumi/pulumi-kubernetes, provider/pkg.
"""
