"""The network is Algorithm 3: against an implementation that shares nothing with `mgcore`, and form against form."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import mgcore
from nets import MgNet, MgNetConfig
from tests.nets import by_hand
from tests.nets.networks import all_configs, images, network, tolerance

SEEDS = st.integers(0, 2**16)


def activation(config, weights, l, v):
    name = config.activation
    if name in ("relu", "identity", "gelu"):
        return {"relu": F.relu, "identity": lambda v: v, "gelu": F.gelu}[name](v)
    if name == "prelu":
        return torch.where(v > 0, v, weights[f"s.{l}.weight"] * v)
    kind, _, support = name.partition(":")
    s = weights[f"s.{l}.log_support"].exp() if "trained" in kind else float(support or 5 * (l + 1))
    slope = 2 / s if "height" in kind else 1
    return torch.where((v > 0) & (v < s), slope * torch.where(v < s / 2, v, s - v), torch.zeros_like(v))


def iteration_weights(config, weights, l, nu):
    """Row i of the weights of u^j + d_j in sweep i (from 0), over j = 0, ..., i: (6.7), (6.8), (6.9)."""
    kind, _, given = config.iteration.partition(":")
    rows = [[0.0] * i + [1.0] for i in range(nu)]
    for i in range(1, nu):
        if kind == "multi-step":
            logits = weights.get(f"iteration.{l}.logits.{i - 1}")
            rows[i] = (
                [float(a) for a in given.split(";")[i].split(",")] if given else (logits.exp() / logits.exp().sum())
            )
        if kind == "chebyshev":
            w = float(given.split(",")[i]) if given else weights[f"iteration.{l}.omega"][i - 1]
            rows[i] = [0.0] * (i - 1) + [1 - w, w]
    return rows


def algorithm_3(config, weights, x):
    """Algorithm 3 with batch norm in evaluation mode, from the numbers in a state_dict; [(u0, u, f)] per grid."""

    def s(l, v):
        return activation(config, weights, l, v)

    def s_transfer(l, v):
        return s(l, v) if config.transfer_activation else v

    def norm(name, v):
        return by_hand.norm(config, weights, name, v)

    def conv(name, v, stride=1):
        if stride == 1 or (config.transfers == "trained" and not (name[:2] == "Pi" and config.pi == "2")):
            return by_hand.conv(weights, name, v, stride)
        K = weights[name + ".weight"]
        return torch.cat([F.conv2d(v[:, c : c + 1], K, padding=1, stride=stride) for c in range(v.shape[1])], 1)

    def scheme(kind, l, K, before, after, v):
        """sigma is s after batch norm; with norm="after" it is s, and batch norm follows K."""
        outside = config.norm == "after"
        if kind in ("K.sigma", "sigma.K.sigma"):
            v = s(l, v if outside else norm(before, v))
        v = K(v)
        if outside or kind in ("sigma.K", "sigma.K.sigma"):
            v = norm(after, v)
        return s(l, v) if kind in ("sigma.K", "sigma.K.sigma") else v

    def A(l, v, i):
        if config.A == "xi.sigma.eta":
            return conv(f"A.{l}.xi", s(l, norm(f"norm_A_f.{l}.{i}", conv(f"A.{l}.eta", v))))
        return scheme(config.A, l, lambda v: conv(f"A.{l}", v), f"norm_A_u.{l}.{i}", f"norm_A_f.{l}.{i}", v)

    def B(l, k, v):
        def K(v):
            v = conv(f"B.{l}.{k if config.extractor == 'variable' else 0}", v)
            return v * weights[f"alpha.{l}.{k}.weight"] if config.extractor == "scaled" else v

        return scheme(config.B, l, K, f"norm_f.{l}.{k}", f"norm_u.{l}.{k}", v)

    f = by_hand.stem(config, weights, x, lambda v: s(0, v))
    u = f.new_zeros(len(f), config.channels_u[0], *f.shape[2:])
    visits = []
    for l, nu in enumerate(config.nu):
        if l > 0:
            r = f - A(l - 1, u, config.nu[l - 1])
            if config.pi == "0":
                size = [(n + 1) // 2 for n in f.shape[2:]]
                u = f.new_zeros(len(f), config.channels_u[l], *size)
            else:
                u = s_transfer(l, norm(f"norm_Pi.{l - 1}", conv(f"Pi.{l - 1}", u, 2)))  # (6.5)
            f = s_transfer(l, norm(f"norm_R.{l - 1}", conv(f"R.{l - 1}", r, 2))) + A(l, u, 0)  # (6.6)
        us, k = [u], 0
        for i, row in enumerate(iteration_weights(config, weights, l, nu)):
            new = torch.zeros_like(u)
            for j, a in enumerate(row):
                if config.iteration.startswith("multi-step"):
                    new = new + a * (us[j] + B(l, k + j, f - A(l, us[j], j)))  # (6.8)
                else:
                    new = new + a * us[j]
            if not config.iteration.startswith("multi-step"):
                new = new + row[-1] * B(l, i, f - A(l, us[-1], i))  # (6.7), (6.9)
            k += i + 1
            us.append(new)
        u = us[-1]
        visits.append((us[0], u, f))
    return visits


def gap(a, b):
    return 0.0 if a is None else float((a - b).abs().max())


def check_algorithm_3(model, x):
    config, expected = model.config, algorithm_3(model.config, model.state_dict(), x)
    size = max(float(v.abs().max()) for visit in expected for v in visit)
    for visit, (u0, u, f) in zip(model.visits(x), expected, strict=True):
        for got, want in ((visit.u0, u0), (visit.u, u), (visit.f, f)):
            if got is None:
                assert float(want.abs().max()) == 0
            else:
                assert gap(got, want) <= tolerance(config) * size


@given(all_configs(), st.sampled_from(("feature", "residual")), SEEDS)
@torch.no_grad()
def test_network_is_algorithm_3(config, form, seed):
    check_algorithm_3(network(replace(config, form=form if config.linear else "feature"), seed), images(config))


@pytest.mark.parametrize("activation", ["prelu", "hat-trained"])
@torch.no_grad()
def test_transfers_end_in_the_activation_of_the_coarser_grid(activation):
    """Each grid has its own: slopes, or supports below the largest values, that differ."""
    model = network(MgNetConfig((1, 1, 1), (3, 3, 3), (4, 4, 4), activation=activation), seed=1)
    for name, weight in model.s.named_parameters():
        weight.fill_(-0.5 * float(name[0]))
    check_algorithm_3(model, images(model.config))


@given(all_configs(), SEEDS)
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
