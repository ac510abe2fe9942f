"""Audio to rows of numbers: the descriptor sets, and the engines that compute them."""
