"""Headers of audio files that count their sound, one family a file."""
