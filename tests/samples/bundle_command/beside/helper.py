from library import text


def word():
    return text.first()
