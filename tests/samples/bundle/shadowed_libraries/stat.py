VALUE = 'never seen: Python has its own already'
