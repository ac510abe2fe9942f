"""The statistics of a study: from outcomes to means, intervals, differences and verdicts."""
