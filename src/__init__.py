"""raciflux: role-aware conditional inference of ecosystem carbon fluxes."""
