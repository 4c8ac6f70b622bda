NAME = "parts/nets/unet"
