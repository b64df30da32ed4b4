"""How bytes travel. `base` is the seam: nothing above it knows what is below it."""
