"""Systems other than the one of the tests: Windows as far as it can be had without it, macOS, checkouts with CRLF."""
