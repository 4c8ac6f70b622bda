TEXT = """a'''b\\ """ + '''c"""''' + "\N{EM DASH}" + "FILES = {}" + "\\"
#\