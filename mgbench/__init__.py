"""Compare self-supervised methods on skeleton and micro-gesture recognition.

The public names are imported when they are first used, so that `import mgbench` is quick and free of torch.
"""

import importlib
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from mgbench.clips import Clips as Clips
    from mgbench.clips import Made as Made
    from mgbench.clips import make_clips as make_clips
    from mgbench.components import Augmentation as Augmentation
    from mgbench.components import Dataset as Dataset
    from mgbench.components import Encoder as Encoder
    from mgbench.components import Evaluator as Evaluator
    from mgbench.components import Method as Method
    from mgbench.components import Recipe as Recipe
    from mgbench.components import SetAugmentation as SetAugmentation
    from mgbench.components import ViewAugmentation as ViewAugmentation
    from mgbench.errors import DataError as DataError
    from mgbench.errors import MgbenchError as MgbenchError
    from mgbench.errors import PluginError as PluginError
    from mgbench.errors import SpecError as SpecError
    from mgbench.hookspecs import hookimpl as hookimpl
    from mgbench.model import Backbone as Backbone
    from mgbench.model import Batch as Batch
    from mgbench.model import Evaluation as Evaluation
    from mgbench.model import Network as Network
    from mgbench.model import Objective as Objective
    from mgbench.model import Probe as Probe
    from mgbench.model import View as View
    from mgbench.pretrained import Pretrained as Pretrained
    from mgbench.pretrained import load as load
    from mgbench.skeleton import Skeleton as Skeleton
    from mgbench.skeleton import load_skeleton as load_skeleton

_MODULES = {
    "clips": ("Clips", "Made", "make_clips"),
    "components": ("Augmentation", "Dataset", "Encoder", "Evaluator", "Method", "Recipe", "SetAugmentation", "ViewAugmentation"),
    "errors": ("DataError", "MgbenchError", "PluginError", "SpecError"),
    "hookspecs": ("hookimpl",),
    "model": ("Backbone", "Batch", "Evaluation", "Network", "Objective", "Probe", "View"),
    "pretrained": ("Pretrained", "load"),
    "skeleton": ("Skeleton", "load_skeleton"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605 - a test holds it against the imports above


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOME:
        msg = f"module 'mgbench' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"mgbench.{_HOME[name]}"), name)
