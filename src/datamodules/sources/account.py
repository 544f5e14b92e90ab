"""What became of a variable's values on the way from its files to the cube: how many were left after each step.

The account is kept with the variable in the cube, so that an audit can say why each value is not there.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

ATTRIBUTE, UNIT = "account", "unit_in_files"
GIVEN, KNOWN, PLAUSIBLE = "given", "with a number", "plausible"
SITE_DAYS = "site-days of the period"  # in place of what was given, where a reader spreads its values over days
DAYS_OF_STEPS, DAYS_OF_PORTS = "days of enough steps", "days of their ports"
PUT_TOGETHER = (DAYS_OF_STEPS, DAYS_OF_PORTS)  # steps at which several values become one: none is lost

Account = Mapping[str, int]


def opened(values: NDArray[np.floating], begin: str = GIVEN) -> dict[str, int]:
    """Return an account that begins with values as they came."""
    return {begin: values.size, KNOWN: int(np.isfinite(values).sum())}


def kept(account: Account, unit: str = "") -> dict[str, str]:
    """Return attributes that keep an account, and the unit of the files, with a variable."""
    return {ATTRIBUTE: json.dumps(dict(account)), **({UNIT: unit} if unit else {})}


def account_of(variable: xr.DataArray) -> dict[str, int]:
    """Return the account of a variable; empty where its reader kept none."""
    stages: dict[str, int] = json.loads(str(variable.attrs.get(ATTRIBUTE, "{}")))
    return stages


def together(accounts: Sequence[Account]) -> dict[str, int]:
    """Add accounts of parts of one variable, step by step."""
    total: dict[str, int] = {}
    for account in accounts:
        for stage, count in account.items():
            total[stage] = total.get(stage, 0) + count
    return total


def with_accounts_of(joined: xr.Dataset, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return a cube made of parts with their accounts added; joining keeps those of the first part alone."""
    for name in joined.data_vars:
        total = together([account_of(part[name]) for part in parts])
        if total:
            joined[name].attrs.update(kept(total))
    return joined
