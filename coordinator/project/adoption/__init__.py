"""`coord init` in an existing repository: finds its entry, its options and its data, and writes the settings."""
