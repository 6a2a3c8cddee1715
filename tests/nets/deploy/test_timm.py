"""timm makes, lists and describes our networks once they are registered; without timm an error says what to install."""

import importlib.util

import pytest
import torch

import nets
from nets.deploy.timm_models import NETWORKS, identifier

missing = importlib.util.find_spec("timm") is None
needs_timm = pytest.mark.skipif(missing, reason="timm not installed (the extra [timm])")
DIGITS = "mgnet_22_16_bl.digits"


def test_names_are_identifiers_and_different():
    names = {identifier(network) for network in NETWORKS}
    assert len(names) == len(NETWORKS)
    assert all(name.isidentifier() and name.startswith("mgnet_") for name in names)


@pytest.mark.skipif(not missing, reason="timm is installed")
def test_timm_is_asked_for():
    with pytest.raises(ImportError, match=r"pip install mgnet-multigrid\[timm\]"):
        nets.register_timm()


@needs_timm
def test_networks_of_timm(recwarn):
    import timm

    names = nets.register_timm()
    assert nets.register_timm() == names
    assert sorted(timm.list_models("mgnet*")) == sorted(names)
    assert not recwarn.list
    small = "mgnet_2222_32_64_128_256_bl"
    model = timm.create_model(small, num_classes=7, in_chans=1)
    assert model.config.notation == "MgNet[2,2,2,2]-[32,64,128,256]-B^l"
    assert tuple(model(torch.zeros(2, 1, 16, 16)).shape) == (2, 7)
    assert timm.create_model(small).config.in_channels == 3
    assert timm.create_model(small, activation="gelu").config.activation == "gelu"
    backbone = timm.create_model(small, features_only=True)
    assert backbone.feature_info.channels() == [32, 64, 128, 256]
    assert [tuple(u.shape[1:]) for u in backbone(torch.zeros(1, 3, 16, 16))][-1] == (256, 2, 2)
    with pytest.raises(ValueError, match="pretrained must be False for mgnet_2222_32"):
        timm.create_model(small, pretrained=True)


@needs_timm
def test_trained_weights_of_timm(tmp_path):
    import timm

    nets.register_timm()
    assert DIGITS in timm.list_models("mgnet*", pretrained=True)
    model, own = timm.create_model(DIGITS, pretrained=True), nets.create_model("MgNet[2,2]-[16]-B^l", pretrained=True)
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(model.eval()(x), own.eval()(x))
    config = timm.data.resolve_model_data_config(model)
    assert config["input_size"] == (1, 8, 8)
    mean, std = (torch.tensor(config[key]).reshape(1, -1, 1, 1) for key in ("mean", "std"))
    assert torch.allclose((x - mean) / std, own.transform.normalise(x), atol=1e-6)
    fresh = timm.create_model(DIGITS)
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    again = timm.create_model(DIGITS, checkpoint_path=str(tmp_path / "weights.pth"))
    assert not torch.equal(fresh.head.weight, own.head.weight)
    assert torch.equal(again.head.weight, own.head.weight)


@needs_timm
def test_weights_that_timm_is_told_of(tmp_path):
    import timm

    nets.register_timm()
    model = timm.create_model(DIGITS, pretrained=True)
    model.head.weight.data *= 2
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    own = {"pretrained": True, "pretrained_cfg_overlay": {"file": str(tmp_path / "pytorch_model.bin")}}
    again = timm.create_model(DIGITS, **own)
    assert again.config == model.config
    assert torch.equal(again.head.weight, model.head.weight)
    assert torch.equal(timm.create_model(DIGITS, num_classes=3, **own).stem.conv.weight, model.stem.conv.weight)
    with pytest.raises(ValueError, match=r"features_only must be False for weights from elsewhere \(file of"):
        timm.create_model(DIGITS, features_only=True, **own)
    with pytest.raises(ValueError, match="pretrained must be False for mgnet_22_16_bl"):
        timm.create_model("mgnet_22_16_bl", pretrained=True, pretrained_cfg={"num_classes": 10})


@needs_timm
def test_rates_of_nought_are_taken_as_timm_gives_them():
    import timm

    nets.register_timm()
    assert timm.create_model(DIGITS, drop_rate=0.0).config == timm.create_model(DIGITS).config
    with pytest.raises(TypeError, match="no argument 'drop_rate'"):
        timm.create_model(DIGITS, drop_rate=0.1)


@pytest.mark.skipif(importlib.util.find_spec("safetensors") is None, reason="safetensors not installed")
def test_a_folder_of_the_hub_is_read_by_others(tmp_path):
    import json

    from safetensors.torch import load_file

    model = nets.create_model("MgNet[2,2]-[16]-B^l", pretrained="digits")
    nets.export_hub(model, tmp_path / "hub")
    config = json.loads((tmp_path / "hub" / "config.json").read_text(encoding="utf-8"))
    assert config["network"]["notation"] == "MgNet[2,2]-[16]-B^l"
    state = load_file(tmp_path / "hub" / "model.safetensors")
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(w, state[name]) for name, w in model.state_dict().items())
