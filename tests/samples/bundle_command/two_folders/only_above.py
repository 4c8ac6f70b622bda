import both

NAME = both.NAME + " from above"
