"""Where trials run: Ray on one machine or many, or this process. The only door to Ray."""
