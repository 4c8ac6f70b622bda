NAME = "models/fpn"
