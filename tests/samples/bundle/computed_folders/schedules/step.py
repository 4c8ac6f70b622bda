NAME = "schedules/step"
