NAME = "optimizers/deep/adam"
