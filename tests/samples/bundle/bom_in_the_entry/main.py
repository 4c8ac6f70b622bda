print('ä', __doc__)
print('''a
b'''.encode())
