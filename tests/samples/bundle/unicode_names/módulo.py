VALUE = 'ñ😀'
