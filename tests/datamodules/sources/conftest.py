"""A small made-up product that each test changes in one place."""

import pytest
from table_layout import Product, column_map, daily, sites


@pytest.fixture(params=["csv", "parquet"])
def product(request, tmp_path) -> Product:
    """The product as CSV and as Parquet."""
    return Product(tmp_path, column_map(), daily(), sites(), request.param)


@pytest.fixture
def csv_product(tmp_path) -> Product:
    """The product as CSV only."""
    return Product(tmp_path, column_map(), daily(), sites())
