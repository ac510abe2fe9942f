"""Samples to frames of numbers: the descriptor sets, and the engines that compute them."""
