"""Imported once by the forkserver, so that every cell starts with torch ready: the first optimiser would import torch._dynamo."""

import torch
import torch._dynamo

import mgbench.run


__all__ = ["mgbench", "torch"]
