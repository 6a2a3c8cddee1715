"""An MgNet is a module like any other: copies, pickles, replaced parts, compilers, gradients."""

import copy
import io
import pickle
import sys

import pytest
import torch
from hypothesis import given
from torch import nn

import nets
from mgcore import stencils
from nets import MgNet, MgNetConfig
from nets.models.operators import SharedKernel, restriction_kernel
from tests.nets.networks import all_configs, images, network

SMALL = MgNetConfig((2, 1), (3, 3), (4, 4))
KEYS = {
    "constant": ["A.0", "A.1", "B.0.0", "B.1.0", "Pi.0", "R.0"],
    "scaled": ["A.0", "A.1", "B.0.0", "B.1.0", "Pi.0", "R.0", "alpha.0.0", "alpha.0.1", "alpha.1.0"],
    "variable": ["A.0", "A.1", "B.0.0", "B.0.1", "B.1.0", "Pi.0", "R.0"],
}
NORMS = ["norm_Pi.0", "norm_R.0", "norm_f.0.0", "norm_f.0.1", "norm_f.1.0", "norm_u.0.0", "norm_u.0.1", "norm_u.1.0"]
NORM_KEYS = ("bias", "num_batches_tracked", "running_mean", "running_var", "weight")


@pytest.mark.parametrize("extractor", KEYS)
def test_state_dict_keys(extractor):
    """They are a file format: a change breaks checkpoints."""
    model = MgNet(MgNetConfig((2, 1), (3, 3), (4, 4), extractor))
    norms = [f"{name}.{key}" for name in [*NORMS, "stem.norm"] for key in NORM_KEYS]
    convolutions = [f"{name}.weight" for name in [*KEYS[extractor], "stem.conv"]]
    assert sorted(model.state_dict()) == sorted([*norms, *convolutions, "head.bias", "head.weight"])


@given(all_configs())
def test_nothing_is_registered_twice(config):
    model = MgNet(config)
    tensors = list(model.state_dict(keep_vars=True).values())
    assert len({id(t) for t in tensors}) == len(tensors)
    assert len({t.data_ptr() for t in tensors if t.numel()}) == len(tensors)
    modules = [name for name, _ in model.named_modules(remove_duplicate=False)]
    assert len(modules) == len(list(model.modules()))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@torch.no_grad()
def test_copies_stand_alone(duplicate):
    model = network(SMALL)
    x = images(SMALL)
    before, other = model(x), duplicate(model)
    assert torch.equal(other(x), before)
    other.A[0].weight.mul_(2)
    assert torch.equal(model(x), before)
    assert not torch.equal(other(x), before)
    assert other.config == model.config


OLD = {"models.mgnet": "mgnet", "models.base": "network", "naming.mgnet_config": "config"}
"""Modules of 0.1.0 that a pickled network names."""


@torch.no_grad()
def test_networks_pickled_by_the_version_before(monkeypatch):
    model, x = network(SMALL), images(SMALL)
    text = pickle.dumps(model, protocol=0)
    for new, old in OLD.items():
        assert f"nets.{new}\n".encode() in text
        text = text.replace(f"nets.{new}\n".encode(), f"nets.{old}\n".encode())
        monkeypatch.delitem(sys.modules, f"nets.{old}", raising=False)
    with pytest.warns(FutureWarning, match=r"nets\.mgnet is nets\.models\.mgnet now"):
        again = pickle.loads(text)
    assert torch.equal(again(x), model(x))
    assert again.config == model.config


@pytest.mark.parametrize(("new", "old"), [("naming.grammar", "notation"), ("inspect.memory", "memory")])
def test_names_and_costs_pickled_by_the_version_before(new, old, monkeypatch):
    value = nets.parse("MgNet[2,1]-[4]-B^l") if old == "notation" else nets.TrainingMemory(1, 2)
    text = pickle.dumps(value, protocol=0)
    assert f"nets.{new}\n".encode() in text
    monkeypatch.delitem(sys.modules, f"nets.{old}", raising=False)
    with pytest.warns(FutureWarning, match=f"nets.{old} is nets.{new} now"):
        assert pickle.loads(text.replace(f"nets.{new}\n".encode(), f"nets.{old}\n".encode())) == value


def test_averaged_copy_follows_the_weights():
    model = network(SMALL)
    average = torch.optim.swa_utils.AveragedModel(model, use_buffers=True)
    average.update_parameters(model)
    x = images(SMALL)
    torch.testing.assert_close(average.eval()(x), model(x))


@pytest.mark.parametrize("form", ["residual", "feature"])
@torch.no_grad()
def test_replaced_module_is_used(form):
    model = network(MgNetConfig((2, 1), (3, 3), (4, 4), form=form, activation="identity"))
    x = images(SMALL)
    for parts, new in (
        (model.A, nn.Conv2d(3, 4, 3, padding=1, bias=False)),
        (model.B[0], nn.Conv2d(4, 3, 1)),
        (model.Pi, nn.AvgPool2d(3, 2, 1)),
        (model.norm_u[1], nn.Identity()),
    ):
        before = model(x)
        parts[0] = new.double()
        assert not torch.equal(model(x), before)


@torch.no_grad()
def test_affine_A_needs_the_feature_form():
    """With a bias A(0) is not 0: the residual form refuses, the feature form applies A to every zero."""
    model = network(MgNetConfig((1, 1), (3, 3), (4, 4), pi="0"))
    model.A[1] = nn.Conv2d(3, 4, 3, padding=1).double()
    with pytest.raises(ValueError, match="linear"):
        model(images(SMALL))
    feature = network(MgNetConfig((1, 1), (3, 3), (4, 4), pi="0", form="feature"))
    feature.A[1] = model.A[1]
    assert feature.visits(images(SMALL))[1].u0 is not None


SCALED = ("MgNet[2,1]-[(2,3),(3,2)]-a_iB^l", {"iteration": "multi-step", "activation": "hat-trained"})
VARIABLE = ("MgNet[1,2]-[2]-B^{l,i}-Pi_2", {"iteration": "chebyshev"})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings"), [SCALED, VARIABLE])
@pytest.mark.parametrize(("form", "training"), [("residual", True), ("feature", False)])
def test_compiles_as_one_graph(name, settings, form, training):
    torch._dynamo.reset()
    model = nets.create_model(name, form=form, **settings).train(training)
    x = torch.randn(2, 3, 8, 8)
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True, backend="aot_eager")
    expected, got = model(x), compiled(x)
    torch.testing.assert_close(got, expected)
    got.sum().backward()
    assert compiled.A[0].weight.grad is not None
    with pytest.raises((ValueError, torch._dynamo.exc.TorchRuntimeError, torch._dynamo.exc.Unsupported)):
        compiled(x[:, :2])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["residual", "feature"])
def test_compiles_with_inductor(form):
    torch._dynamo.reset()
    model = nets.create_model("MgNet[2,2]-[8]-B^l", form=form).eval()
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(torch.compile(model, fullgraph=True)(x), model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("extractor", ["constant", "scaled"])
def test_gradients(extractor):
    """Smooth, so without ReLU; with respect to the input and to every weight."""
    config = MgNetConfig((1, 1), (2, 2), (2, 2), extractor, activation="identity", in_channels=1, num_classes=2)
    model = network(config)
    model.s[0] = model.s[1] = nn.Softplus()
    weights = {name: w.detach().clone().requires_grad_() for name, w in model.named_parameters()}

    def run(x, *values):
        return torch.func.functional_call(model, dict(zip(weights, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (images(config, size=3, count=1).requires_grad_(), *weights.values()))


def test_feature_and_data_channels_may_differ():
    model = nets.create_model("MgNet[1,1]-[(2,5),(7,3)]-B^{l,i}")
    visits = model.visits(torch.randn(1, 3, 8, 8))
    assert [(v.u.shape[1], v.f.shape[1]) for v in visits] == [(2, 5), (7, 3)]


def test_pi_2_has_9_weights():
    model = nets.create_model("MgNet[1,1]-[5]-B^l-Pi_2")
    assert sum(p.numel() for p in model.Pi.parameters()) == 9
    x = torch.randn(1, 5, 6, 6)
    for c in range(5):
        one = nn.functional.conv2d(x[:, c : c + 1], model.Pi[0].weight, stride=2, padding=1)
        torch.testing.assert_close(model.Pi[0](x)[:, c : c + 1], one)


@pytest.mark.parametrize(("transfers", "kernel"), [("bilinear", stencils.BILINEAR), ("linear", stencils.LINEAR)])
def test_fixed_transfers_are_the_papers_kernels(transfers, kernel):
    model = nets.create_model("MgNet[1,1]-[2]-B^l", transfers=transfers)
    assert not list(model.R.parameters()) + list(model.Pi.parameters())
    assert torch.equal(model.R[0].weight[0, 0], torch.tensor(kernel))
    assert torch.equal(4 * model.Pi[0].weight, model.R[0].weight)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_fixed_pi_keeps_constants_inside(dims):
    K = restriction_kernel("bilinear", dims)
    assert float(K.sum()) == 2**dims
    means = SharedKernel(dims, K / 2**dims)(torch.ones(1, 2, *(8,) * dims))
    inner = (slice(None), slice(None)) + (slice(1, None),) * dims
    assert torch.equal(means[inner], torch.ones(1, 2, *(3,) * dims))
    # zero padding: a window loses a quarter of its weight where it reaches beyond the low end
    assert means[(0, 0) + (0,) * dims] == 0.75**dims


def test_heads():
    model = nets.create_model("MgNet[1,1]-[4,6]-B^l", num_classes=0)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(model.eval()(x), model.forward_features(x).mean((2, 3)))
    model.reset_classifier(7)
    assert model(x).shape == (2, 7)
    assert model.config.num_classes == 7
    model.double().reset_classifier(0)
    assert model(x.double()).shape == (2, 6)


def test_autocast_takes_float32():
    model = nets.create_model("MgNet[1,1]-[4]-B^l").eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(torch.randn(2, 3, 8, 8)).isfinite().all()


def test_state_dict_round_trip():
    model, other = (nets.create_model("MgNet[1,1]-[4]-a_iB^l") for _ in range(2))
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(other.eval()(x), model.eval()(x))
