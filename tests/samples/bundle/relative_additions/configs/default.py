LR = 0.1
NET = "small"
