"""One training from first step to last: the loop, its seeds, and the bits it promises."""
