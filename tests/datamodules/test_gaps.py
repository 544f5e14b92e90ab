import numpy as np
import pytest
from raciflux.datamodules.gaps import missing_days, refuse_sites_without
from raciflux.datamodules.roles import Pair, Roles
from raciflux.errors import UserError

from worlds import tiny_cube

PAIR = Pair("terrestrial_gpp", "GPP", required=("TA",))


def test_a_required_driver_missing_at_a_whole_site_is_refused_with_the_site():
    cube = tiny_cube()
    refuse_sites_without(cube, PAIR)
    cube["TA"][{"site": 3}] = np.nan
    with pytest.raises(UserError, match=f"TA has no value at {cube['site_id'].to_numpy()[3]} .1 of 12 sites"):
        refuse_sites_without(cube, PAIR)


def test_days_without_a_driver_are_counted_inside_the_record_only():
    cube = tiny_cube().isel(time=slice(0, 100))
    roles = Roles("GPP", ("TA", "SW", "SW_POT"), (), ())
    for name in ("TA", "SW"):
        cube[name][:] = 1.0
        cube[name][{"time": slice(90, None)}] = np.nan  # the record has ended: nothing is missing there
    assert missing_days(cube, roles) == []
    cube["SW"][{"site": 2, "time": slice(0, 7)}] = np.nan
    assert missing_days(cube, roles) == ["SW: missing on 7 of 1,080 site-days, masked"]
