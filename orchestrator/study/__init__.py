"""What is asked: a study file's text to variants, and to trials with their ids."""
