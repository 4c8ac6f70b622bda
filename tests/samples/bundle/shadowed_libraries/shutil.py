VALUE = 'local shutil'
