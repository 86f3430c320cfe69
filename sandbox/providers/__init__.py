"""Stand-ins of the Pulumi provider plugins, for machines where the real ones are not to be had."""
