import a
from pack import left, right

print(a.value(), left.value(), right.value())
