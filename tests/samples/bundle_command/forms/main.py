from forms import *
from forms import part
from forms.part import value as renamed

print(sorted(name for name in dir() if not name.startswith("_")), part.value, renamed, star)
