VALUE = 'local hashlib'
