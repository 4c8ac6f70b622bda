VALUE = 'ours'
