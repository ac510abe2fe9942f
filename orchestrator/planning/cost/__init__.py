"""What training costs: time, memory and money, from measured trials or a probe."""
