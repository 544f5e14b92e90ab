"""FLUXNET-standard archives: FLUXNET2015, FLUXNET-CH4, AmeriFlux FLUXNET and BASE, ICOS."""
