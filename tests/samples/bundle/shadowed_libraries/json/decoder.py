VALUE = 'local decoder'
