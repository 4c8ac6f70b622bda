"""The tables that commands print: each function makes a rich table of plain values."""
