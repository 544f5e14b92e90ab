import numpy as np
import pytest
from raciflux.config.sources import SOURCES, CubeSource, EmbeddedSource
from raciflux.datamodules.cube import write_zarr
from raciflux.datamodules.sources import READERS, read
from raciflux.errors import UserError


def test_every_kind_of_source_has_a_reader():
    assert set(READERS) == set(SOURCES)


def test_stored_cube_is_the_cube_that_was_read(product):
    cube = product.read()
    write_zarr(cube, product.folder / "cube.zarr")
    again = read("terrestrial_co2", CubeSource(path="cube.zarr"), product.folder)
    assert again.identical(cube)
    one = read("terrestrial_co2", CubeSource(path="cube.zarr"), product.folder, ["BB-Two"])
    assert one["site_id"].to_numpy().tolist() == ["BB-Two"]
    with pytest.raises(UserError, match=r"data\.sites: 'BB' is not in cube\.zarr"):
        read("terrestrial_co2", CubeSource(path="cube.zarr"), product.folder, ["BB"])


def test_embedded_world_is_a_valid_cube(tmp_path):
    source = EmbeddedSource(places=4, years=1)
    cube = read("wetland_ch4", source, tmp_path / "no data needed")
    assert cube.sizes["site"] == 4
    assert np.isfinite(cube["FCH4"]).any()
    name = str(cube["site_id"].to_numpy()[2])
    assert read("wetland_ch4", source, tmp_path, [name])["site_id"].to_numpy().tolist() == [name]
