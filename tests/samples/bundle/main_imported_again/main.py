import other

print('run as', __name__)
if __name__ == '__main__':
    print(other.again().__name__, other.again().__file__ == __file__)
