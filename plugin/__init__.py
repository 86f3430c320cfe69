"""The components as a Pulumi plugin, for programs in YAML, TypeScript, Go, C# and Java."""
