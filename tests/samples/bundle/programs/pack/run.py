from .part import NAME

print("run", NAME)
