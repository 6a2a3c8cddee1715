"""The network is Algorithm 3: against an implementation that shares nothing with `mgcore`, and form against form."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import mgcore
from nets import MgNet, MgNetConfig
from tests.nets.networks import configs, images, network, tolerance

SEEDS = st.integers(0, 2**16)


def algorithm_3(config, weights, x):
    """Algorithm 3 with batch norm in evaluation mode, from the numbers in a state_dict; [(u0, u, f)] per grid."""
    s = F.relu if config.activation == "relu" else (lambda v: v)
    s_transfer = s if config.transfer_activation else (lambda v: v)

    def norm(name, v):
        if not config.batch_norm:
            return v
        mean, var, w, b = (weights[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(v, mean, var, w, b)

    def conv(name, v, stride=1):
        K = weights[name + ".weight"]
        if stride == 1 or (config.transfers == "trained" and not (name[:2] == "Pi" and config.pi == "2")):
            return F.conv2d(v, K, padding=1, stride=stride)
        return torch.cat([F.conv2d(v[:, c : c + 1], K, padding=1, stride=stride) for c in range(v.shape[1])], 1)

    def B(l, i, v):
        j = i if config.extractor == "variable" else 0
        v = conv(f"B.{l}.{j}", v)
        return v * weights[f"alpha.{l}.{i}.weight"] if config.extractor == "scaled" else v

    f = s(norm("stem.norm", F.conv2d(x, weights["stem.conv.weight"], padding=1)))
    u = f.new_zeros(len(f), config.channels_u[0], *f.shape[2:])
    visits = []
    for l, nu in enumerate(config.nu):
        if l > 0:
            r = f - conv(f"A.{l - 1}", u)
            if config.pi == "0":
                size = [(n + 1) // 2 for n in f.shape[2:]]
                u = f.new_zeros(len(f), config.channels_u[l], *size)
            else:
                u = s_transfer(norm(f"norm_Pi.{l - 1}", conv(f"Pi.{l - 1}", u, 2)))  # (6.5)
            f = s_transfer(norm(f"norm_R.{l - 1}", conv(f"R.{l - 1}", r, 2))) + conv(f"A.{l}", u)  # (6.6)
        u0 = u
        for i in range(nu):
            u = u + s(norm(f"norm_u.{l}.{i}", B(l, i, s(norm(f"norm_f.{l}.{i}", f - conv(f"A.{l}", u))))))  # (6.7)
        visits.append((u0, u, f))
    return visits


def gap(a, b):
    return 0.0 if a is None else float((a - b).abs().max())


@given(configs(), st.sampled_from(("feature", "residual")), SEEDS)
@torch.no_grad()
def test_network_is_algorithm_3(config, form, seed):
    model = network(replace(config, form=form), seed)
    x = images(config)
    expected = algorithm_3(config, model.state_dict(), x)
    size = max(float(v.abs().max()) for visit in expected for v in visit)
    for visit, (u0, u, f) in zip(model.visits(x), expected, strict=True):
        for got, want in ((visit.u0, u0), (visit.u, u), (visit.f, f)):
            if got is None:
                assert float(want.abs().max()) == 0
            else:
                assert gap(got, want) <= tolerance(config) * size


@given(configs(), SEEDS)
@torch.no_grad()
def test_forward_is_the_descent(config, seed):
    model = network(config, seed)
    x = images(config)
    f = model.pool(model.s[0](model.stem(x)))
    u = mgcore.descend(model.levels, f)[-1].u
    assert torch.equal(u, model.forward_features(x))
    assert torch.equal(model(x), model.head(u.mean(dim=(2, 3))))


@pytest.mark.parametrize("extractor", ["constant", "scaled", "variable"])
@pytest.mark.parametrize("pi", ["0", "1", "2"])
def test_forms_agree_in_training_mode(extractor, pi):
    """Per-use batch norm acts on f - A u, which both forms have; outputs, gradients and running statistics agree.

    Batch norm divides by the deviation of the batch, which has no lower bound: half of the digits are asked for.
    """
    config = MgNetConfig((2, 1, 2), (3, 3, 3), (4, 5, 4), extractor, pi)
    ends = []
    for form in ("feature", "residual"):
        model = network(replace(config, form=form), seed=3).train()
        torch.manual_seed(4)
        y = model(images(config, size=12, count=4))
        y.square().sum().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None and p.grad.abs().max() > 0]
        ends.append([y, *gradients, *model.buffers()])
    # the last A of the coarsest grid has no gradient to give in either form
    assert len(ends[0]) == len(ends[1])
    for a, b in zip(*ends, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


def test_feature_form_applies_A_to_the_zero_of_the_start():
    calls = {}
    for form in ("feature", "residual"):
        model = MgNet(MgNetConfig((2,), (3,), (3,), form=form))
        calls[form] = []
        model.A[0].register_forward_hook(lambda module, inputs, output, seen=calls[form]: seen.append(inputs[0]))
        model(torch.randn(2, 3, 4, 4))
    assert len(calls["feature"]) == 2
    assert not calls["feature"][0].any()
    assert len(calls["residual"]) == 1
