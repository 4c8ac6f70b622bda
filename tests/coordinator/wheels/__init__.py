"""What kernels install beside the image."""
