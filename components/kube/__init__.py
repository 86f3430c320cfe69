"""What the components read from a live cluster: the client, the mesh, issuance, and the diagnosis of a failure."""
