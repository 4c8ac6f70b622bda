"""Programs that measure the speed of this code as ratios to other ways to do the same, and two stress tests of it."""
