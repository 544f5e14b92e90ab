"""How accurate each model is, on the same splits, under one training regime: a grid that can be stopped and resumed."""
