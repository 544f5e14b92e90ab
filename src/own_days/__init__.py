"""What a site's own shown fluxes say of its other days: the questions, and plain ways to answer them."""
