import pkgutil
from importlib import resources

import pack

print(resources.files('pack').joinpath('data/word.txt').read_text('utf-8'))
print(resources.files(pack).joinpath('data', 'bytes.bin').read_bytes())
with resources.as_file(resources.files('pack.data') / 'word.txt') as path:
    print(path.name, path.read_text('utf-8'))
with resources.files('pack').joinpath('data/word.txt').open(encoding='utf-8') as file:
    print(file.read())
print(sorted(each.name for each in resources.files('pack').joinpath('data').iterdir()))
print(pkgutil.get_data('pack', 'data/word.txt').decode('utf-8'))
