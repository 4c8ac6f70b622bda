import helper

print(helper.word())
