from .hand_over import Stores as Stores, hand_over as hand_over
