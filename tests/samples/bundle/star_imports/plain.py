THREE = 3
_four = 4
