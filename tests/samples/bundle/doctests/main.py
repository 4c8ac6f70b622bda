"""Here.

>>> 1 + 1
2
"""
import doctest

from pack import leaf

print(doctest.testmod(), doctest.testmod(leaf), doctest.testfile('README.txt', module_relative=True))
