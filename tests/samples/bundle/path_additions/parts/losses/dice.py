NAME = "parts/losses/dice"
