"""What only a machine with a graphics card can show: `python -m benchmarks.gpu_check`, which is `make gpu-check`."""
