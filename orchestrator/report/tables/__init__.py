"""Tables in every form: a summary to columns and cells, then to text, LaTeX or plain values."""
