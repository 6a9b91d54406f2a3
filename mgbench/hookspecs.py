"""The five hooks by which a plugin offers its components."""

import pluggy

from mgbench.components import Augmentation, Dataset, Encoder, Evaluator, Method


hookspec = pluggy.HookspecMarker("mgbench")
hookimpl = pluggy.HookimplMarker("mgbench")


@hookspec
def mgbench_datasets() -> list[type[Dataset]]:  # type: ignore[empty-body] # a specification has no body
    """Return data sets."""


@hookspec
def mgbench_encoders() -> list[type[Encoder]]:  # type: ignore[empty-body] # a specification has no body
    """Return encoders."""


@hookspec
def mgbench_methods() -> list[type[Method]]:  # type: ignore[empty-body] # a specification has no body
    """Return methods."""


@hookspec
def mgbench_augmentations() -> list[type[Augmentation]]:  # type: ignore[empty-body] # a specification has no body
    """Return augmentations of views and of sets."""


@hookspec
def mgbench_evaluators() -> list[type[Evaluator]]:  # type: ignore[empty-body] # a specification has no body
    """Return evaluators."""
