from . import second

star = "star"
