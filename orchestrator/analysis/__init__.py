"""Statistics: outcomes in, means, intervals, differences and verdicts out."""
