"""A model source without torch: it reports as a real one does."""
