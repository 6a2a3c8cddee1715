"""The MgNets of `list_models` by names that timm takes: `register_timm` enters them in timm's registry."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from torch import nn

from nets.models.create import create_model
from nets.models.pretrained import entries, path_of
from nets.models.saved import find
from nets.naming.grammar import begin
from nets.naming.names import MODELS

NETWORKS = (
    *(name for name in MODELS if name.startswith("MgNet[")),
    *dict.fromkeys(entry["model"] for entry in entries().values()),
)
"""The networks that timm gets; trained weights are tags of their names."""


def identifier(name: str) -> str:
    """timm's name of an MgNet: sweeps per grid, channels, and bl or bli for B^l or B^{l,i}.

    >>> identifier("MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}"), identifier("MgNet[16,2,2,2]-[256]-B^l")
    ('mgnet_2222_64_128_256_512_bli', 'mgnet_16_2_2_2_256_bl')
    """
    nu, channels, rest = re.fullmatch(r"MgNet\[([\d,]+)\]-\[([\d,]+)\]-(.*)", name).groups()  # type: ignore[union-attr]
    sweeps = nu.split(",")
    joined = ("" if all(len(n) == 1 for n in sweeps) else "_").join(sweeps)
    return f"mgnet_{joined}_{channels.replace(',', '_')}_{re.sub('[^a-z]', '', rest.lower())}"


def register_timm() -> list[str]:
    """Enter MgNets in timm's registry, for `timm.create_model` and `timm.list_models("mgnet*")`, and list their names.

    `timm.create_model(name, num_classes=, in_chans=, features_only=, pretrained=)` then makes the network of
    `create_model`, whose other settings may follow. Trained weights that come with this package are tags, such as
    "mgnet_22_16_bl.digits". Nothing is downloaded, unless the caller names a repository to timm. A second call changes
    nothing.

    Raises:
        ImportError: timm is missing (pip install mgnet-multigrid[timm]).
        RuntimeError: timm has another network of such a name.

    >>> "mgnet_22_16_bl" in register_timm()  # doctest: +SKIP
    True
    """
    try:
        import timm
        from timm.models import generate_default_cfgs, register_model
    except ImportError as error:
        raise ImportError(f"register_timm needs timm: pip install mgnet-multigrid[timm] ({error})") from error
    names = {identifier(network): network for network in NETWORKS}
    if names.keys() <= _registered.keys():
        return [*names]
    taken = [name for name in names if name not in _registered and timm.is_model(name)]
    if taken:
        raise RuntimeError(f"register_timm: timm has a network of its own by the name {', '.join(taken)}")
    cfgs = {tag: cfg for name, network in names.items() for tag, cfg in _configurations(name, network).items()}
    globals()["default_cfgs"] = generate_default_cfgs(cfgs)  # where timm looks for them
    for name, network in names.items():
        _registered[name] = register_model(_entry(name, network))
    return [*names]


_registered: dict[str, Callable[..., nn.Module]] = {}


def _configurations(name: str, network: str) -> dict[str, dict[str, Any]]:
    """timm's descriptions of a network, one per trained weights, or one without."""
    layers = {"first_conv": "stem.conv", "classifier": "head"}
    found = {}
    for tag, entry in entries().items():
        if begin(entry["model"])[0] == begin(network)[0]:
            data: Any = find(path_of(tag), "pretrained").data
            mean, std = ([v / data["white"] for v in data[key]] for key in ("mean", "std"))
            size = {"input_size": tuple(data["shape"]), "mean": mean, "std": std, "label_names": data["classes"]}
            whole = {"crop_pct": 1.0, "num_classes": len(data["classes"]), "file": str(path_of(tag))}
            found[f"{name}.{tag}"] = {**layers, **size, **whole}
    return found or {name: {**layers, "input_size": (3, 32, 32), "num_classes": 10, "crop_pct": 1.0}}


def _entry(name: str, network: str) -> Callable[..., nn.Module]:
    def make(
        pretrained: bool = False,
        pretrained_cfg: Any = None,
        pretrained_cfg_overlay: Any = None,
        cache_dir: Any = None,
        **settings: Any,
    ) -> nn.Module:
        from timm.models import load_pretrained, resolve_pretrained_cfg

        cfg = resolve_pretrained_cfg(name, pretrained_cfg, pretrained_cfg_overlay)
        settings.pop("pretrained_model_args", None)  # timm gives those of a hub's folder twice
        for rate in ("drop_rate", "drop_path_rate"):  # timm's training script always gives them
            if settings.get(rate) == 0:
                del settings[rate]
        sources = [key for key in ("file", "url", "hf_hub_id", "state_dict") if getattr(cfg, key)]
        ours = cfg.tag in entries() and sources == ["file"] and cfg.file == str(path_of(cfg.tag))
        if pretrained and not (ours or sources):
            raise ValueError(f"pretrained must be False for {name}, of which there are no trained weights; got True")
        if pretrained and not ours and settings.get("features_only"):
            where = ", ".join(sources)
            need = f"features_only must be False for weights from elsewhere ({where} of pretrained_cfg)"
            raise ValueError(f"{need}; got True for {name}")
        if not (pretrained and ours) and "in_channels" not in settings:
            settings.setdefault("in_chans", cfg.input_size[0])
        model: Any = create_model(network, pretrained=cfg.tag if pretrained and ours else False, **settings)
        model.pretrained_cfg = model.default_cfg = cfg.to_dict()
        if pretrained and not ours:  # timm reads what the caller names to it
            config = model.config
            load_pretrained(model, model.pretrained_cfg, config.num_classes, config.in_channels, cache_dir=cache_dir)
        return model

    make.__name__ = make.__qualname__ = name
    return make
