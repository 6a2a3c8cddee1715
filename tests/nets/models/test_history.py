"""Networks whose state is a history, DenseNet (7.5) and LM-ResNet (3.24), against code that shares nothing."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import mgcore
import nets
from mgcore.iteration import multi_step
from nets import MgNetConfig
from nets.models.data_level import HistoryLevel
from tests.nets import by_hand
from tests.nets.models.test_forms import activation
from tests.nets.networks import EPS, check_registered_once_and_used, densenets, images, network

SEEDS = st.integers(0, 2**16)


def densenet(config, weights, x):
    """f^nu at the end of every grid by (7.5), as a sum over predecessors, from the numbers in a state_dict."""

    def shifted(name, v):  # by the bias, if there is one
        return v + weights.get(f"{name}.bias", v.new_zeros(v.shape[1]))[:, None, None]

    bn = partial(by_hand.norm, config, weights)
    f = by_hand.stem(config, weights, x, partial(activation, config, weights, 0))
    ends = []
    for l, nu in enumerate(config.nu):
        history = [f]
        k = config.growth[l]
        widths = [config.channels[l], *(k if isinstance(k, tuple) else [k] * nu)]
        for i in range(1, nu + 1):
            thetas = weights[f"theta.{l}.{i - 1}.weight"].split(widths[:i], dim=1)
            total = sum(F.conv2d(f_j, theta, padding=1) for theta, f_j in zip(thetas, history, strict=True))  # (7.10)
            total = shifted(f"theta.{l}.{i - 1}", total)
            history.append(activation(config, weights, l, bn(f"norm.{l}.{i - 1}", total)))
        ends.append(history[-1])
        if l + 1 < len(config.nu):
            Rs = weights[f"R.{l}.weight"].split(widths, dim=1)
            f = sum(F.conv2d(f_j, R, padding=1, stride=2) for R, f_j in zip(Rs, history, strict=True))
            f = bn(f"norm_R.{l}", shifted(f"R.{l}", f))
    return ends


@given(densenets(), SEEDS)
@torch.no_grad()
def test_densenet_is_7_5(config, seed):
    model = network(config, seed)
    x = images(config)
    expected = densenet(config, model.state_dict(), x)
    size = max(1.0, max(float(f.abs().max()) for f in expected))
    # operators of norm at most 1 on a concatenation, GELU 1.13: an error grows by 1.13 per step and per transition
    steps = sum(config.nu) + len(config.nu)
    length = 9 * max(c + sum(k) for c, k in zip(config.channels, config.growth_by_step, strict=True))
    tolerance = 8 * EPS * max(length, 27) * (steps + 1) * 1.13**steps
    visits = model.visits(x)
    for visit, f in zip(visits, expected, strict=True):
        assert float((visit.u - f).abs().max()) <= tolerance * size
    assert torch.equal(model(x), model.head(visits[-1].u.mean((2, 3))))


@given(densenets())
def test_nothing_is_registered_twice_and_everything_is_used(config):
    check_registered_once_and_used(config)


@given(SEEDS, st.integers(1, 4), st.integers(1, 4), st.data())
@torch.no_grad()
def test_multi_step_mgnet_is_a_densenet_without_activation(seed, nu, c, data):
    """(3.22): r^i = sum_j alpha_j^i (id - A B_j^i) r^j, with A 1 x 1 so that id - A B_j^i is one 3 x 3 convolution."""
    torch.manual_seed(seed)
    A = torch.randn(c, c, 1, 1, dtype=torch.float64) / c
    B = [[torch.randn(c, c, 3, 3, dtype=torch.float64) / (9 * c) for _ in range(i)] for i in range(1, nu + 1)]
    alpha = [torch.rand(i, dtype=torch.float64).softmax(0).tolist() for i in range(1, nu + 1)]
    alpha = [[a / sum(row) for a in row] for row in alpha]
    identity = torch.zeros(c, c, 3, 3, dtype=torch.float64)
    identity[range(c), range(c), 1, 1] = 1
    dense = nets.create_model(f"DenseNet[{nu}]-[{c}]", activation="identity", batch_norm=False, in_channels=c).double()
    for i in range(nu):
        AB = [torch.einsum("xyij,yzkl->xzkl", A, B_j) for B_j in B[i]]
        theta = [a * (identity - AB_j) for a, AB_j in zip(alpha[i], AB, strict=True)]
        dense.theta[0][i].weight.copy_(torch.cat(theta, 1))
    level = mgcore.Level(
        A=lambda u: F.conv2d(u, A),
        B=[[lambda r, K=B_j: F.conv2d(r, K, padding=1) for B_j in row] for row in B],
        iterate=multi_step(alpha),
    )
    f = torch.randn(2, c, *data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6))), dtype=torch.float64)
    visit = mgcore.descend([level], f)[-1]
    (r,) = mgcore.descend(dense.levels, f)
    assert float((r.u - (f - level.A(visit.u))).abs().max()) <= 100 * EPS * c * 9 * 2**nu * float(f.abs().max())


@given(st.integers(1, 4), SEEDS, st.booleans())
@torch.no_grad()
def test_chebyshev_mgnet_is_an_lm_resnet(nu, seed, batch_norm):
    """(3.24) corrected: k_i = 1 - omega_i and A^i = -omega_i A; batch norm and s in the same places."""
    config = MgNetConfig((nu,), (3,), (4,), "variable", iteration="chebyshev", form="feature", batch_norm=batch_norm)
    mgnet = network(config, seed)
    omega = [1.0, *mgnet.iteration[0].omega.tolist()] if nu > 1 else [1.0]
    lm = nets.create_model(f"LM-ResNet[{nu}]-[4]", batch_norm=batch_norm).double().eval()
    for i, w in enumerate(omega):
        lm.A[0][i], lm.B[0][i] = torch.nn.Conv2d(3, 4, 3, padding=1, bias=False).double(), mgnet.B[0][i]
        lm.A[0][i].weight.copy_(-w * mgnet.A[0].weight)
        lm.norm_1[0][i], lm.norm_2[0][i] = mgnet.norm_f[0][i], mgnet.norm_u[0][i]
        if i > 0:
            lm.k[0][i - 1].fill_(1 - w)
    f = torch.randn(2, 4, 7, 6, dtype=torch.float64)
    (level,) = mgnet.levels
    visit = mgcore.descend([level], f)[-1]
    (r,) = mgcore.descend(lm.levels, f)
    expected = f - level.A(visit.u)
    # |omega| <= 1.5, operators of norm at most 1: a step multiplies an error by 1.5 (1 + 1) + 0.5 at most
    tolerance = 16 * EPS * 36 * (nu + 1) * 3.5**nu
    assert float((r.u - expected).abs().max()) <= tolerance * max(1, float(f.abs().max()), float(expected.abs().max()))


def test_an_lm_resnet_starts_as_a_pre_act_resnet():
    """k = 0; and k is one number per step but the first of a grid."""
    lm, pre_act = (nets.create_model(f"{kind}[3,4,6]-[3]").eval() for kind in ("LM-ResNet", "pre-act ResNet"))
    assert nets.parameters(lm) - nets.parameters(pre_act) == 2 + 2 + 4
    missing = pre_act.load_state_dict({k: v for k, v in lm.state_dict().items() if not k.startswith("k.")})
    assert not missing.missing_keys
    x = torch.randn(1, 3, 16, 16)
    torch.testing.assert_close(lm(x), pre_act(x))
    lm.k[2][1].data.fill_(0.5)
    assert not torch.allclose(lm(x), pre_act(x))


def test_a_history_is_kept_as_long_as_it_is_needed():
    seen = []

    def step(history):
        seen.append(len(history))
        return history[-1] + 1

    f = torch.zeros(1)
    for keep, lengths in ((None, [1, 2, 3, 4]), (2, [1, 2, 2, 2]), (1, [1, 1, 1, 1])):
        level = HistoryLevel([step] * 4, keep=keep)
        (visit,) = mgcore.descend([level], f)
        assert (float(visit.u), float(visit.f), seen) == (4, 4, lengths)
        seen.clear()
    coarse = HistoryLevel([lambda history: history[0]])
    fine = HistoryLevel([step] * 2, pool=lambda history: sum(history))
    assert [float(v.u) for v in mgcore.descend([fine, coarse], f)] == [2, 3]
    with pytest.raises(ValueError, match="u must be None"):
        fine.start(f, f)
    with pytest.raises(TypeError, match="no way up"):
        fine.correct((f,), coarse, (f,), (f,))


def test_densenet_with_a_width_per_step():
    """(7.6): theta^i reads k_0 + ... + k_{i-1} channels and writes k_i."""
    model = nets.create_model("DenseNet[3,2]-[(4,2,5,3),(6,1,7)]")
    shapes = [[tuple(theta.weight.shape[:2]) for theta in thetas] for thetas in model.theta]
    assert shapes == [[(2, 4), (5, 4 + 2), (3, 4 + 2 + 5)], [(1, 6), (7, 6 + 1)]]
    assert tuple(model.R[0].weight.shape[:2]) == (6, 4 + 2 + 5 + 3)
    assert model.feature_info.channels() == [3, 7]
    assert model.head.in_features == 7
    convolutions = 27 * 4 + 9 * (2 * 4 + 5 * 6 + 3 * 11 + 6 * 14 + 1 * 6 + 7 * 7)
    assert nets.parameters(model) == convolutions + 2 * (4 + 2 + 5 + 3 + 6 + 1 + 7) + 7 * 10 + 10
    assert "(4,3)" in str(nets.summary(model, (3, 8, 8)))
    assert str(nets.create_model("DenseNet[2,2]-[(4,3,3),(4,3,5)]").config) == "DenseNet[2,2]-[(4,3),(4,3,5)]"
    assert str(nets.create_model("DenseNet[2,2]-[(4,3,5)]").config) == "DenseNet[2,2]-[(4,3,5)]"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: nets.create_model("DenseNet[2,3]-[(4,3,5)]"),
            r"growth\[1\] must hold 3 widths, one per step; got \(3, 5",
        ),
        (lambda: nets.DenseNetConfig((1,), (2,), ((0,),)), r"growth\[0\]\[0\] must be an integer >= 1; got 0"),
        (lambda: nets.DenseNetConfig((1, 1), (2, 2), ((3,),)), r"growth must hold 2 widths, .*; got \(\(3,\),\)"),
        (lambda: nets.create_model("DenseNet[2]-[(4,3,)]"), "an integer|k"),
        (
            lambda: nets.create_model("DenseNet[2]-[(4,4,5)]", norm_layer="group:2"),
            r"got 'group:2', and growth\[0\] = 5",
        ),
    ],
)
def test_widths_per_step_that_do_not_fit(make, words):
    with pytest.raises(ValueError, match=words):
        make()
