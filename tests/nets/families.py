"""One small network of every family: a new family joins the tests of what every network can do by one line here."""

from __future__ import annotations

from typing import Any

import nets

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "MgNet": ("MgNet[2,1,1]-[(4,6),(6,8),(8,6)]-B^l", {}),
    "MgNet, Algorithm 3": ("MgNet[2,1]-[(4,6),(8,6)]-a_iB^l", {"form": "feature"}),
    "MgNet, fixed transfers": ("MgNet[2,1]-[6]-B^l", {"transfers": "bilinear", "iteration": "chebyshev"}),
    "MgNet, Pi_2": ("MgNet[2,1]-[6]-B^{l,i}-Pi_2", {"iteration": "multi-step", "activation": "hat-trained"}),
    "MgNet, nonlinear A": ("MgNet[2,1]-[4,6]-B^l-A:xi.sigma.eta", {"activation": "prelu"}),
    "MgNet, group norm": (
        "MgNet[2,1]-[(4,6),(8,6)]-B^l",
        {"norm_layer": "group:2", "bias": True, "activation": "elu"},
    ),
    "GDFI": ("GDFI[2,1]-[6]-A:K.sigma-B:sigma.K", {}),
    "V-MgNet": ("V-MgNet[2,1,1]-[4,6,8]-B^l", {}),
    "ResNet": ("ResNet[2,2]-[6,8]", {}),
    "ResNet, layer norm": ("ResNet[2,2]-[6,8]", {"norm_layer": "layer", "bias": True, "activation": "elu"}),
    "pre-act ResNet": ("pre-act ResNet[2,2]-[6,8]-A^l-B^l", {"sharing": "tables"}),
    "Mg-ResNet": ("Mg-ResNet[2,2]-[6,8]-B^l", {}),
    "V-MgNet, fixed transfers": ("V-MgNet[2,1,1;1,0]-[6]-B^l", {"transfers": "bilinear"}),
    "MgNO": ("MgNO[1,2,1;1,0]-[4,6,8]", {"layers": 3, "activation": "hat-trained"}),
    "MgNO, published": ("MgNO[1,1,2]-[6]", {"form": "published"}),
    "LM-ResNet": ("LM-ResNet[3,2]-[6,8]", {}),
    "WideResNet": ("WideResNet[2,1]-[6,8]", {}),
    "Bottleneck": ("Bottleneck[2,2]-[3,4]*2", {}),
    "DenseNet": ("DenseNet[2,2]-[(6,4),(8,4)]", {}),
    "VGG": ("VGG[3,3]-[6,8]", {}),
}
"""name -> (name for create_model, settings)."""


def create(family: str, **settings: Any) -> nets.Network:
    name, own = FAMILIES[family]
    return nets.create_model(name, **{**own, **settings})
