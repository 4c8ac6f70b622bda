NAME = "local"
