"""The suite. Everything runs for real: files, processes, HTTP on the loopback; nothing of ours is mocked."""
