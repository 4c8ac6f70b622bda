VALUE = 'local json'
