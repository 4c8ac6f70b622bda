"""The tests. They use real files, processes and HTTP on the loopback; no code of this project is mocked."""
