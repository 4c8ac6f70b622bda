import shutil

VALUE = 'ours', hasattr(shutil, 'rmtree')
