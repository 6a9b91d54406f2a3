"""The contract, held against this plugin; needs the plugin installed."""

import mgbench.testing
import pytest


@pytest.mark.parametrize("check", mgbench.testing.checks("velocity"), ids=str)
def test_velocity(check: mgbench.testing.Check) -> None:
    """Every rule of the contract holds."""
    check()
