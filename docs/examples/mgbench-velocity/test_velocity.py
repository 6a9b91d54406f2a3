"""The contract, held against this plugin; needs the plugin installed."""

import pytest

import mgbench.testing


@pytest.mark.parametrize("check", mgbench.testing.checks("velocity"), ids=str)
def test_velocity(check: mgbench.testing.Check) -> None:
    """Every rule of the contract holds."""
    check()
