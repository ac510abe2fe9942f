"""How far a study is: which trainings have ended, which seeds it needs, what may be judged."""
