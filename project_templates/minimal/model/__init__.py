"""The model source: this package becomes the kernel."""
