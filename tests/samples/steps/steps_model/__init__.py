"""A program that goes on from its own output."""
