import beside

print(beside.NAME, __name__, __package__ or "")
raise SystemExit(3)
