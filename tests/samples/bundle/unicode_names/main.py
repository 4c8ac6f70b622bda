import módulo
from 数据 import π

print(módulo.VALUE, π.__name__, módulo.__name__)
