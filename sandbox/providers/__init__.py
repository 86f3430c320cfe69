"""Stand-ins for the Pulumi provider plugins, for machines that cannot get the real ones."""
