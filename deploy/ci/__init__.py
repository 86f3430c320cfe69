"""The steps of the workflows that take more than one command: gate, preview, comment, up and drift."""
