VALUE = 'never seen'
