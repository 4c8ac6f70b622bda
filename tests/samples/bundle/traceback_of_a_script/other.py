# two
# lines
def g():
    1 / 0
