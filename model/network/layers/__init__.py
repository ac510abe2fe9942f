"""Layers of networks, one layer a file: aggregation over a graph, attention, recurrence."""
