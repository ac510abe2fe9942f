"""What is kept: outcomes, attempts, snapshots, leases, checkpoints, and every file name of them."""
