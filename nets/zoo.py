"""Networks by name."""

from __future__ import annotations

from fnmatch import fnmatchcase
from os import PathLike

from nets.config import MgNetConfig
from nets.mgnet import MgNet

MODELS = (
    "MgNet[2,2]-[32]-B^{l,i}",  # digits, 8 x 8
    "MgNet[2,2,2,2]-[256]-B^l",
    "MgNet[2,2,2,2]-[256]-B^{l,i}",
    "MgNet[4,2,2,2]-[256]-B^l",
    "MgNet[8,2,2,2]-[256]-B^l",
    "MgNet[16,2,2,2]-[256]-B^l",
    "MgNet[32,2,2,2]-[256]-B^l",
    "MgNet[2,2,2,2]-[512]-B^l",
    "MgNet[2,2,2,2]-[768]-B^l",
    "MgNet[2,2,2,2]-[1024]-B^l",
    "MgNet[8,2,2,2]-[1024]-B^l",
    "MgNet[2,2,2,2]-[32,64,128,256]-B^l",
    "MgNet[2,2,2,2]-[64,128,256,512]-B^l",
    "MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}",
    "MgNet[2,2,2,2]-[128,256,512,1024]-B^l",
    "MgNet[2,2,2,2]-[128,256,512,1024]-B^{l,i}",
    "MgNet[2,2,2,2]-[256,512,1024,2048]-B^l",
    "MgNet[3,4,6,3]-[128,256,512,1024]-B^{l,i}",
)
"""Networks of the papers' tables; `create_model` takes any other name of the same grammar as well."""


def list_models(pattern: str = "*") -> list[str]:
    """The names of `MODELS` that match a shell pattern; brackets are taken as they stand, not as character sets."""
    return [name for name in MODELS if fnmatchcase(name, pattern.replace("[", "[[]"))]


def create_model(
    name: str,
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    input: str = "cifar",
    dims: int = 2,
    activation: str = "relu",
    iteration: str = "single",
    transfers: str = "trained",
    transfer_activation: bool | None = None,
    batch_norm: bool = True,
    norm: str | None = None,
    form: str = "auto",
    sharing: str = "literal",
    weights: str | PathLike[str] | None = None,
) -> MgNet:
    """The network of a name in the papers' notation (`nets.notation`); the settings are those of `MgNetConfig`.

    Args:
        transfer_activation, norm: None takes what the family of the name has (True and "inside" for MgNet, False and
            "after" for GDFI).
        weights: a checkpoint of the same architecture; its head is left out where the classes differ in number.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """
    family = {"transfer_activation": transfer_activation, "norm": norm}
    config = MgNetConfig.parse(
        name,
        **{key: value for key, value in family.items() if value is not None},
        num_classes=num_classes,
        in_channels=in_channels,
        input=input,
        dims=dims,
        activation=activation,
        iteration=iteration,
        transfers=transfers,
        batch_norm=batch_norm,
        form=form,
        sharing=sharing,
    )
    model = MgNet(config)
    if weights is not None:
        from nets.train.checkpoint import load_weights

        load_weights(model, weights)
    return model
