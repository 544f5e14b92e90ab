"""raciflux: role-aware conditional inference of ecosystem carbon fluxes."""

from .threads import tell_libraries

tell_libraries()  # before any library is loaded
