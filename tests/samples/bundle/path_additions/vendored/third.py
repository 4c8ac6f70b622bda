NAME = "vendored/third"
