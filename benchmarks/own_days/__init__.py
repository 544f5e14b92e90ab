"""What a few days of own data, or all days but a gap, are worth to each method."""
