NAME = "late/very_late"
