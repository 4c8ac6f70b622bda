import pathlib

from pack import leaf

here = pathlib.Path(__file__)
print(here.with_name('words.txt').read_text(), leaf.text(), sorted(path.name for path in here.parent.glob('*.txt')))
