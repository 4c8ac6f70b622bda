def strip(text):
    return text.split()[0]
