VALUE = 'top'
