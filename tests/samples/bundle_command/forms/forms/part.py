import forms as above

value = 1
