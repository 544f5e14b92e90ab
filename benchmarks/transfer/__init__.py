"""Every technique of transfer beside the same model from scratch: same towers, labels, budgets and seeds."""
