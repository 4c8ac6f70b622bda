NAME = "models/unet"
