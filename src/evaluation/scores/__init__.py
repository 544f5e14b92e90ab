"""What a run's predictions are worth: each number from run folders alone."""
