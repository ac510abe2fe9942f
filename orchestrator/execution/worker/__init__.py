"""What happens in the process that trains a trial: task in, outcome in the store out."""
