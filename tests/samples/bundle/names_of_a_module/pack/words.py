def words():
    with open("words.txt") as file:
        return file.read().split()
