VALUE = 'local colorsys'
