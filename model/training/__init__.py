"""One training from first step to last: the loop, its seeds, and its promise of equal bits."""
