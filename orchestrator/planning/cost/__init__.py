"""The price of training: time, memory and money, from finished trials or a probe."""
