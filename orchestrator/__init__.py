"""From a study file to a table: asks, trains, keeps, reports."""
