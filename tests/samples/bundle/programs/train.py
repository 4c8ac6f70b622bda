import helper

print("train", helper.NAME)
