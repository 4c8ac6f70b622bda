import pkgutil

import pack

print([(m.name, m.ispkg) for m in pkgutil.iter_modules(pack.__path__)])
print([m.name for m in pkgutil.walk_packages(pack.__path__, 'pack.')])
print(pkgutil.resolve_name('pack.sub.leaf:VALUE'))
