"""Imported once by the forkserver, so that every cell starts with everything ready that is safe to share.

The first optimiser would import torch._dynamo. Of the plugins only our own are loaded here: another's import might start threads or a
device, or end the process, and that must cost one cell only. What is imported stays, so looking for garbage among it meanwhile would be a
second lost, and again in each cell.
"""

# ruff: noqa: E402
import gc


gc.disable()

import inspect
from pathlib import Path

import torch
import torch._dynamo

import mgbench.run
from mgbench.components import KINDS
from mgbench.registry import Registry, installed_plugins
from mgbench.sources import engine_digest, source_digest


__all__ = ["mgbench", "torch"]

_OWN = Registry([plugin for plugin in installed_plugins() if plugin.distribution == "mgbench"])
for _kind in KINDS:
    for _entry in _OWN.entries(_kind):
        source_digest(Path(inspect.getfile(_entry.cls)))  # remembered, and of the code that was just loaded
engine_digest()
gc.freeze()
gc.enable()
