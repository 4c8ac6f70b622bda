TEXT = """a'''b\\ """ + '''c"""''' + "\N{DASH}" if False else "FILES = {}" + "\\"
#\