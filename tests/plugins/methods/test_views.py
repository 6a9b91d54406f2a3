"""Methods that compare views say how many they need, and which they cannot use."""

import attrs
import pytest
from mgbench_plugins.augmentations.csm import CentralSpatialMasking
from mgbench_plugins.methods.actclr import ActCLR
from mgbench_plugins.methods.aimclr import AimCLR
from mgbench_plugins.methods.ascal import ASCAL
from mgbench_plugins.methods.byol import BYOL
from mgbench_plugins.methods.crosclr import CrosSCLR
from mgbench_plugins.methods.simsiam import SimSiam
from mgbench_plugins.methods.skelemixclr import SkeleMixCLR
from mgbench_plugins.methods.skeletonclr import SkeletonCLR
from mgbench_plugins.methods.vicreg import VICReg
from training import built, drawn, loss_of

from mgbench import Method, SpecError


@pytest.mark.parametrize(
    ("method", "least"),
    [*((each, 2) for each in (SkeletonCLR, CrosSCLR, ASCAL, SkeleMixCLR, BYOL, SimSiam, VICReg)), (AimCLR, 3), (ActCLR, 4)],
)
def test_too_few_views_are_refused(method: type[Method], least: int) -> None:
    """As many as the loss reads will do, one less will not."""
    method(views=((),) * least)
    with pytest.raises(ValueError, match=f"Length of 'views' must be >= {least}: {least - 1}"):
        method(views=((),) * (least - 1))


@pytest.mark.parametrize("method", [SkeleMixCLR(queue=10, projection=8), ActCLR(queue=10, projection=8, start=0.0)])
def test_hidden_joints_are_refused_where_all_are_needed(method: Method) -> None:
    """Parts are pasted into whole bodies, so a map without some joints fits no longer."""
    masked = attrs.evolve(method, augment=(CentralSpatialMasking(),))
    with pytest.raises(SpecError, match=f"{method.name} got a view of which joints or tokens are hidden"):
        loss_of(built(masked), drawn(masked))
