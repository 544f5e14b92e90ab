"""What raciflux is measured against; peers' ways of doing things live here, so that the package ships none of them."""
