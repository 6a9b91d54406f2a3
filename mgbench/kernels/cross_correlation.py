"""The Barlow Twins loss of an anchor against one or more views, without the D x D matrix when the batch is smaller than D.

With columns centred and scaled to unit length, U of the anchor and V_k of the views, C_k = U^T V_k and c_k its diagonal:

    L = sum_k [ sum_i (1 - c_ki)^2 + lambda (|C_k|^2 - sum_i c_ki^2) ]   and   sum_k |C_k|^2 = <U U^T, sum_k V_k V_k^T>,

two N x N matrices in place of the D x D ones.
"""

import torch
from torch import Tensor


def cross_correlation_reference(anchor: Tensor, *views: Tensor, lambd: float, eps: float = 1e-5) -> Tensor:
    """Return the loss by its definition, `(N, D)` inputs: batch norm without affine, C = z_a^T z_k / N [PSTL; Zbontar et al. 2021]."""
    total = anchor.new_zeros(())
    za = torch.nn.functional.batch_norm(anchor, None, None, training=True, eps=eps)
    for view in views:
        zb = torch.nn.functional.batch_norm(view, None, None, training=True, eps=eps)
        c = za.T @ zb / len(anchor)
        diagonal = c.diagonal()
        total = total + (1 - diagonal).square().sum() + lambd * (c.square().sum() - diagonal.square().sum())
    return total


def cross_correlation_loss(anchor: Tensor, *views: Tensor, lambd: float, eps: float = 1e-5) -> Tensor:
    """Return the summed losses of the anchor `(N, D)` against each view `(N, D)`, a scalar in float32 or wider.

    `lambd` weighs the redundancy term; `eps` is added to each column's variance, as batch norm does.
    """
    with torch.autocast(anchor.device.type, enabled=False):
        u, *vs = (_unit_columns(z, eps) for z in (anchor, *views))
        diagonals = torch.stack([(u * v).sum(dim=0) for v in vs])
        if len(u) < u.shape[1]:
            squares = ((u @ u.T) * torch.stack([v @ v.T for v in vs]).sum(dim=0)).sum()
        else:
            squares = torch.stack([(u.T @ v).square().sum() for v in vs]).sum()
        return (1 - diagonals).square().sum() + lambd * (squares - diagonals.square().sum())


def _unit_columns(z: Tensor, eps: float) -> Tensor:
    """Centre the columns and divide by sqrt(sum of squares + N eps), which is batch norm over the square root of N."""
    x = z if z.dtype == torch.float64 else z.float()
    x = x - x.mean(dim=0)
    return x * torch.rsqrt(x.square().sum(dim=0) + len(x) * eps)
