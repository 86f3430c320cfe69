"""What the workflows run that takes more than one command: may this commit be deployed, previews, updates, drift."""
