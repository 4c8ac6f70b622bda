NAME = "score"
