"""Rules for methods, applied on the first installed encoder that gives what a method needs."""

import io

import torch

from mgbench.components import Method
from mgbench.data import Dense
from mgbench.model import Batch, Objective
from mgbench.registry import Registry
from mgbench.skeleton import load_skeleton
from mgbench.testing.kit import Rule, UnavailableError, backbone, clips, generator, hold, same, tiny
from mgbench.train import draw_batch


def _objective(method: Method, loaded: Registry) -> tuple[Objective, Batch]:
    """Build the method on the first installed encoder that gives what it needs, and draw a batch."""
    able = [tiny(entry, loaded) for entry in loaded.entries("encoder")]
    encoder = next((encoder for encoder in able if method.needs <= encoder.gives), None)
    if encoder is None:
        msg = f"no installed encoder gives {', '.join(sorted(method.needs))}"
        raise UnavailableError(msg)
    objective, method = method.build(backbone(encoder), classes=4).train(), method.suited(encoder)
    x = clips()
    data = Dense(x, torch.arange(6) % 4, torch.full((6,), 20))
    return objective, draw_batch(method, data, torch.arange(6), load_skeleton("kinect25"), generator())


def loss_reaches_what_learns(method: Method, loaded: Registry) -> None:
    """The loss is a finite scalar whose gradient reaches every parameter that learns and no other."""
    objective, batch = _objective(method, loaded)
    loss = objective(batch, generator())["loss"]
    hold(loss.dim() == 0 and bool(loss.isfinite()), f"the loss is {loss}")
    learned = [name for name, parameter in objective.named_parameters() if parameter.requires_grad]
    hold(bool(learned) == method.learns, f"learns is {method.learns}, but {len(learned)} parameters ask for a gradient")
    if not learned:
        return
    loss.backward()
    for name, parameter in objective.named_parameters():
        hold((parameter.grad is not None) == parameter.requires_grad, f"{name} gets a gradient against its wish")


def same_seed_same_loss(method: Method, loaded: Registry) -> None:
    """Built and called twice from one seed, the loss is the same to the bit."""
    losses = []
    for _ in range(2):
        objective, batch = _objective(method, loaded)
        torch.manual_seed(5)
        losses.append(objective(batch, generator(6))["loss"].detach())
    hold(torch.equal(*losses), f"losses {losses} from one seed")


def sees_labels_only_if_it_says_so(method: Method, loaded: Registry) -> None:
    """Without `uses_labels` the batch carries no label."""
    _, batch = _objective(method, loaded)
    hold((batch.label is not None) == method.uses_labels, "labels are given against uses_labels")


def embeds_clip_by_clip(method: Method, loaded: Registry) -> None:
    """The embedder gives finite `(N, D)`, clip by clip, for clips without any mask."""
    objective, _ = _objective(method, loaded)
    embedder, x = objective.embedder().eval(), clips()
    features = embedder(x)
    hold(features.dim() == 2 and len(features) == 6 and bool(features.isfinite().all()), f"features {tuple(features.shape)}")
    same(features[:2], embedder(x[:2]), "another clip changed a clip's features")


def continues_from_its_state(method: Method, loaded: Registry) -> None:
    """Another objective that is given the parameters and buffers of one in training goes on as that one does."""
    first, batch = _objective(method, loaded)
    for progress in (0.5, 1.0):
        torch.manual_seed(5)
        first(batch, generator(6))
        first.step(progress)
    torch.manual_seed(7)
    second, _ = _objective(method, loaded)
    saved = io.BytesIO()
    torch.save(first.state_dict(), saved)
    saved.seek(0)
    second.load_state_dict(torch.load(saved, weights_only=True))
    for _ in range(2):
        losses = []
        for objective in (first, second):
            torch.manual_seed(5)
            losses.append(objective(batch, generator(6))["loss"].detach())
            objective.step(1.0)
        hold(torch.equal(*losses), f"losses {losses} of one state")


RULES: list[Rule] = [
    loss_reaches_what_learns,
    same_seed_same_loss,
    continues_from_its_state,
    sees_labels_only_if_it_says_so,
    embeds_clip_by_clip,
]
