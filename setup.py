"""Lists the packages: setuptools cannot map the folder `src` to the name `raciflux` from pyproject.toml alone."""

from setuptools import find_packages, setup

setup(
    packages=["raciflux", *(f"raciflux.{name}" for name in find_packages("src"))],
    package_data={"": ["*.json", "*.html", "*.css", "*.js", "py.typed"]},
)
