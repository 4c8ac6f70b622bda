import beside_the_step

print("prepare", beside_the_step.NAME)
