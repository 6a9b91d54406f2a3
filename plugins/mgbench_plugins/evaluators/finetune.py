"""Fine-tuning: the embedder and a softmax layer trained together on labelled clips [PSTL, Zhou et al. 2023; MAMP, Mao et al. 2023]."""

import copy
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import attrs
import torch
from torch import Generator, Tensor, nn

from mgbench import Evaluation, Evaluator, Probe, Recipe
from mgbench.model import outputs
from mgbench.train import derive_seed, make_optimizer
from mgbench_plugins.evaluators.fitting import softmax_layer, train_epochs


@attrs.frozen
class Finetune(Evaluator):
    """Train a copy of the embedder with a softmax layer on top.

    The default is PSTL's recipe; those of AimCLR and MAMP are values. Every weight learns, also those that the method froze. Clips
    are not augmented.

    Args:
        layer_decay: the rate of a layer is that of the one behind it times this, 1 for one rate (MAMP 0.8). Layers are the members of
            the encoder's list of blocks; what stands outside of the list counts as before the first, the softmax layer as behind the last.
        dropout: of the features before the softmax layer (MAMP 0.3).
        smoothing: of the labels (MAMP 0.1).
        recipe: optimiser and schedule; a batch that an epoch does not fill is left out, unless it is the only one.
    """

    name = "finetune"
    tiny = "epochs=2,batch_size=8"
    reads: ClassVar[Literal["clips", "features", "backbone"]] = "backbone"

    layer_decay: float = attrs.field(default=1.0, validator=[attrs.validators.gt(0), attrs.validators.le(1)])
    dropout: float = attrs.field(default=0.0, validator=[attrs.validators.ge(0), attrs.validators.lt(1)])
    smoothing: float = attrs.field(default=0.0, validator=[attrs.validators.ge(0), attrs.validators.lt(1)])
    recipe: Recipe = attrs.field(default=Recipe(lr=5e-3, epochs=150), kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Refuse the convex solver."""
        if self.recipe.optimizer == "lbfgs":
            msg = "optimizer got 'lbfgs', which is for convex probes; give adam, adamw or sgd."
            raise ValueError(msg)

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score the test clips by the layer's logits."""
        assert probe.embedder is not None  # noqa: S101 - it reads the backbone
        device = probe.train.x.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(derive_seed(probe.seed, "dropout"))
            return Evaluation(self._trained(probe, copy.deepcopy(probe.embedder)))

    def _trained(self, probe: Probe, embedder: nn.Module) -> Tensor:
        """Return the logits of the test clips after training."""
        generator = Generator().manual_seed(probe.seed)
        width = outputs(embedder, probe.train.x[:1]).shape[1]
        layer = softmax_layer(width, probe.classes, generator, probe.train.x.device)
        optimizer = make_optimizer(self.recipe, _groups(embedder.requires_grad_(), layer, self.layer_decay))
        model = nn.Sequential(embedder, nn.Dropout(self.dropout), layer)
        for _ in train_epochs(model, optimizer, self.recipe, probe.train, generator, smoothing=self.smoothing, whole=True):
            pass
        return outputs(model, probe.test.x)


def _groups(embedder: nn.Module, layer: nn.Linear, decay: float) -> Iterable[dict[str, Any]]:
    """Return the weights of each layer with what its rate is multiplied by."""
    blocks = next((list(module) for module in embedder.modules() if isinstance(module, nn.ModuleList)), [])
    depth = {id(weight): number for number, block in enumerate(blocks, start=1) for weight in block.parameters()}
    layers: list[list[nn.Parameter]] = [[] for _ in range(len(blocks) + 1)]
    for weight in embedder.parameters():
        layers[depth.get(id(weight), 0)].append(weight)
    layers.append(list(layer.parameters()))
    return [{"params": weights, "scale": decay**above} for above, weights in enumerate(reversed(layers)) if weights]
