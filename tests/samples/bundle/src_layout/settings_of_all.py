NAME = "of the root"
