from leaf import TEXT

print(TEXT, '''it's """quoted"""''', '\\n\\', '{{ x }} {% if %} {# c #} {}')
