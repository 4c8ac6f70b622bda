from shared import Base


class Net(Base):
    width = 64
