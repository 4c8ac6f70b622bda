from shared import Base as Net
