"""The theorems that connect the networks, on the networks themselves.

Theorems 6.1 and 8.1 need A linear, and nothing of B, R and Pi.
"""

import re
from dataclasses import replace
from inspect import signature

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import mgcore
import nets
from mgcore import checks
from nets import MgNetConfig, ResNetConfig, theorems
from tests.nets.families import FAMILIES
from tests.nets.networks import (
    BATCH_NORMS,
    CONVOLUTIONS,
    EPS,
    configs,
    images,
    network,
    norm,
    resnets,
    tolerance,
)

SEEDS = st.integers(0, 2**16)
LINEAR = configs(activation="identity", batch_norm=False, form="feature", transfers="trained", pi="1")
CHECKS = (checks.theorem_6_1, checks.theorem_8_1)

# Deviations are relative to the norms of vectors that may have lost digits to cancellation: three digits for that.
CANCELLATION = 1e3


@pytest.mark.parametrize("theorem", CHECKS)
@given(st.one_of(LINEAR, configs(form="feature")), SEEDS)
@torch.no_grad()
def test_theorems(theorem, config, seed):
    """6.1: MgNet is MG0 shifted by u^0, whatever Pi is. 8.1: carrying the residual along gives the same u and f."""
    model = network(config, seed)
    f = model.stem(images(config))
    assert theorem(model.levels, f, norm) <= CANCELLATION * tolerance(config)


@pytest.mark.parametrize("seed", range(6))
@torch.no_grad()
def test_theorem_8_1_where_data_vanish(seed):
    """R that restricts to zero: f = 0 on the coarse grid, which the residual form computes as r + A u."""
    config = MgNetConfig((1, 3), (3, 3), (3, 3), "variable", pi="0", form="feature")
    model = network(config, seed)
    model.R[0].weight.zero_()
    model.norm_R[0].weight.zero_()
    model.norm_R[0].bias.fill_(-1)
    f = model.stem(images(config))
    assert not model.visits(images(config))[1].f.any()
    assert checks.theorem_8_1(model.levels, f, norm) <= CANCELLATION * tolerance(config)


@pytest.mark.parametrize("theorem", CHECKS)
@torch.no_grad()
def test_theorems_fail_for_nonlinear_A(theorem):
    """They are refused for a level that is not linear, and false for one that says so wrongly."""
    config = MgNetConfig((2, 2), (4, 4), (4, 4), batch_norm=False, form="feature")
    model = network(config, seed=1)
    model.A[1] = nn.Sequential(model.A[1], nn.Softplus())
    f = model.stem(images(config))
    with pytest.raises(ValueError, match="linear"):
        theorem(model.levels, f, norm)
    assert theorem([replace(level, linear=True, zero=None) for level in model.levels], f, norm) > 1e-3


# Relative to the largest value on any grid: states of `network` are bounded by norms, values may be smaller by much.
SMALL = 1e3


def resnet_tolerance(config):
    """As in `tolerance`: operators of norm at most 1, blocks that at most double an error; GELU has slope 1.13."""
    blocks = sum(config.nu)
    return 2e-16 * 9 * 4 * max(*config.channels, 3) * (3 * blocks + 1) * 2.3**blocks


@given(configs(iteration="single"), SEEDS)
@torch.no_grad()
def test_residual_of_mgnet_is_mg_iresnet(config, seed):
    """Theorem 8.1, with per-use batch norm and every activation."""
    assert theorems.theorem_8_1(network(config, seed), images(config)) <= SMALL * tolerance(config)


@given(configs(iteration="multi-step"), SEEDS)
@torch.no_grad()
def test_multi_step_is_a_densenet_without_activation(config, seed):
    assert theorems.multi_step_is_dense(network(config, seed), images(config)) <= SMALL * tolerance(config)


@given(configs(iteration="chebyshev"), SEEDS)
@torch.no_grad()
def test_chebyshev_is_an_lm_resnet(config, seed):
    assert theorems.chebyshev_is_lm_resnet(network(config, seed), images(config)) <= SMALL * tolerance(config)


@given(configs(), SEEDS)
@torch.no_grad()
def test_forms_agree_on_every_grid(config, seed):
    assert theorems.residual_form(network(config, seed), images(config)) <= SMALL * tolerance(config)


@given(resnets(kind="sigma-ResNet", batch_norm=False, activation="relu", sharing="literal"), SEEDS)
@torch.no_grad()
def test_lemma_8_2(config, seed):
    assert theorems.lemma_8_2(network(config, seed), images(config)) <= SMALL * resnet_tolerance(config)


@torch.no_grad()
def test_lemma_8_2_is_false_with_the_printed_plus():
    model = theorems.random_network("sigma-ResNet[2,2]-[4,6]", 0, batch_norm=False)
    x = images(model.config)
    plus = theorems.negated(theorems.negated(model, "ResNet"), "ResNet")  # A, not -A, in (7.8)
    gap = model.s[-1](model.forward_features(x)) - plus.forward_features(x)
    assert norm(gap) > 0.01 * norm(plus.forward_features(x))


@given(resnets(kind="Mg-iResNet"), SEEDS)
@torch.no_grad()
def test_mg_iresnet_is_pre_act_resnet_with_the_other_sign(config, seed):
    assert theorems.sign_of_A(network(config, seed), images(config)) <= SMALL * resnet_tolerance(config)


@given(resnets(A="A^l", sharing="literal").filter(lambda config: config.kind != "Mg-iResNet"), SEEDS)
@torch.no_grad()
def test_one_A_per_grid_is_equal_kernels(config, seed):
    assert theorems.shared_A(network(config, seed), images(config)) <= SMALL * resnet_tolerance(config)


@given(resnets(kind="Mg-ResNet", batch_norm=False), SEEDS)
@torch.no_grad()
def test_mg_resnet_and_mg_iresnet_differ_by_what_s_does_to_the_data(config, seed):
    """The arrow of (8.7) that is no identity: each step differs by s(f) - f."""
    model, x = network(config, seed), images(config)
    f = [visit.u0 for visit in model.visits(x)]
    size = max(float(v.abs().max()) for v in f) * 2.3 ** sum(config.nu)
    gap = max(float((s(v) - v).abs().max()) for s, v in zip(model.s, f, strict=True))
    assert theorems.skip_activation(model, x) * max(gap, 1e-3) <= SMALL * resnet_tolerance(config) * max(size, 1.0)


PRE_ACT = st.sampled_from(("pre-act ResNet", "Mg-iResNet")).flatmap(lambda kind: resnets(kind=kind))


@given(PRE_ACT, SEEDS)
@torch.no_grad()
def test_an_iresnet_is_an_mgnet_with_wide_features(config, seed):
    """Theorem 8.1 with A^{l,i}."""
    assert theorems.iresnet_is_mgnet(network(config, seed), images(config)) <= SMALL * resnet_tolerance(config)


@torch.no_grad()
def test_6_25_is_no_iresnet():
    """u <- u + B (f - A^i u) with A^i in every step: f - A^i u^i is not r - A^i B r, but where all A^i are equal."""
    model = theorems.random_network("pre-act ResNet[3]-[4]-A^{l,i}-B^{l,i}", 0, batch_norm=False)
    f = torch.relu(torch.randn(2, 4, 8, 8, dtype=torch.float64))
    for same in (False, True):
        if same:
            for A in model.A[0]:
                A.weight.copy_(model.A[0][0].weight)
        u, r = torch.zeros_like(f), f
        for A, B in zip(model.A[0], model.B[0], strict=True):
            u = u + torch.relu(B(torch.relu(f - A(u))))
            r = r - A(torch.relu(B(torch.relu(r))))
        gap = norm(f - model.A[0][-1](u) - r) / norm(r)
        assert gap < 1e-12 if same else gap > 0.1


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(1, 3), st.sampled_from("012"), SEEDS)
@torch.no_grad()
def test_theorem_4_1(nu, c, pi, seed):
    """Features from residuals. A = id + K, |K| <= 0.3: the condition is at most 1.3 / 0.7 in the maximum norm."""
    config = MgNetConfig(tuple(nu), (c,) * len(nu), (c,) * len(nu), "variable", pi)
    model = network(config, seed)
    for A in model.A:
        A.weight *= 0.3
        A.weight[(torch.arange(c), torch.arange(c), 1, 1)] += 1
    # A now has norm 1.3: a sweep multiplies an error by 2.3, not by 2; solving multiplies by 1/0.7 and adds n eps
    bound = 1.15 ** sum(nu) * 1.3 ** len(nu) * tolerance(config) + 7 * 8 * c * EPS
    assert theorems.theorem_4_1(model, images(config)) <= SMALL * bound * 1.3 / 0.7


@torch.no_grad()
def test_theorem_4_1_needs_an_inverse():
    """A of rank one: the residuals leave most of u open."""
    config = MgNetConfig((2,), (3,), (3,), "variable", batch_norm=False)
    model = network(config)
    model.A[0].weight[1:] = model.A[0].weight[:1]
    with pytest.raises(RuntimeError, match="singular"):
        theorems.theorem_4_1(model, images(config, size=3))


NONNEGATIVE = st.sampled_from(("relu", "hat:2", "hat-height:3"))


@given(st.data(), NONNEGATIVE, st.sampled_from(("single", "multi-step")), st.booleans(), SEEDS)
@torch.no_grad()
def test_features_are_not_negative(data, activation, iteration, zero_pi, seed):
    """The constraint u >= 0 of N23 (1.2): u^0 = 0, s >= 0 and convex weights; Pi u is 0 or has s around it."""
    config = data.draw(configs(activation=activation, iteration=iteration, form="feature"))
    if zero_pi:
        config = replace(config, pi="0", nu=tuple(max(n, 1) for n in config.nu))
    else:
        config = replace(config, transfer_activation=True)
    assert all(v.u is None or float(v.u.min()) >= 0 for v in network(config, seed).visits(images(config)))


@torch.no_grad()
def test_features_may_be_negative_without_s():
    model = theorems.random_network("MgNet[2,2]-[4]-B^{l,i}", 0, activation="identity")
    assert float(model.visits(images(model.config))[-1].u.min()) < 0


@torch.no_grad()
def test_features_may_be_negative_on_coarser_grids_without_s_around_pi():
    x = torch.randn(2, 3, 16, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for around in (True, False):
        model = theorems.random_network("MgNet[2,2,2]-[4]-B^{l,i}", 0, form="feature", transfer_activation=around)
        least = [float(visit.u.min()) for visit in model.visits(x)]
        assert least[0] >= 0
        assert (min(least[1:]) >= 0) == around


NO_NORM = st.booleans().map(lambda none: {"batch_norm": False} if none else {"norm": "inside"})


@given(configs(pi="1", transfers="trained", transfer_activation=False, extractor="variable"), NO_NORM, SEEDS)
@torch.no_grad()
def test_gdfi_with_linear_A_is_mgnet(config, settings, seed):
    """The same modules and the same operations: A: K, B: sigma.K.sigma is MgNet."""
    config = replace(config, nu=(max(config.nu[0], 1), *config.nu[1:]), **{"batch_norm": True, **settings})
    model = network(replace(config, family="GDFI", A="K", B="sigma.K.sigma"), seed)
    assert theorems.gdfi_is_mgnet(model, images(config)) <= SMALL * tolerance(config)
    assert theorems.gdfi_is_mgnet(in_training_mode(model), images(config)) <= SMALL * TRAINING * tolerance(config)


# ---- training mode: every use of a batch norm has the statistics of its batch, the same on both sides ----------------

# Errors grow as in evaluation mode, but in the Euclidean norm; a state has at most 2 * 7 * 8 * 4 = 448 < 32^2 values.
TRAINING = 32


def in_training_mode(model):
    """Operators of Euclidean norm at most 1, and batch norms that are Lipschitz with constant 1.

    The derivative of (x - mean) / (var + eps)^(1/2) is a projection divided by at least eps^(1/2): eps is 1 here.
    """
    for module in model.modules():
        if isinstance(module, CONVOLUTIONS):
            module.weight /= max(1.0, float(module.weight.abs().transpose(0, 1).flatten(1).sum(1).max()))
        if isinstance(module, BATCH_NORMS):
            module.eps = 1.0
    return model.train()


MGNETS = {
    "8.1": (theorems.theorem_8_1, "single"),
    "forms": (theorems.residual_form, "single"),
    "3.22": (theorems.multi_step_is_dense, "multi-step"),
    "3.24": (theorems.chebyshev_is_lm_resnet, "chebyshev"),
    "6.1": (theorems.theorem_6_1, "single"),
}


@pytest.mark.parametrize("name", MGNETS)
@given(st.data(), SEEDS)
@torch.no_grad()
def test_of_mgnet_in_training_mode(name, data, seed):
    theorem, iteration = MGNETS[name]
    config = data.draw(configs(iteration=iteration, batch_norm=True))
    model = in_training_mode(network(config, seed))
    assert theorem(model, images(config)) <= SMALL * TRAINING * tolerance(config)


@pytest.mark.parametrize(
    ("theorem", "settings"),
    [
        (theorems.iresnet_is_mgnet, {"kind": "pre-act ResNet"}),
        (theorems.sign_of_A, {"kind": "Mg-iResNet"}),
        (theorems.shared_A, {"A": "A^l", "kind": "Mg-ResNet", "sharing": "literal"}),
    ],
    ids=["8.1", "sign", "shared"],
)
@given(st.data(), SEEDS)
@torch.no_grad()
def test_of_resnets_in_training_mode(theorem, settings, data, seed):
    config = data.draw(resnets(batch_norm=True, **settings))
    model = in_training_mode(network(config, seed))
    assert theorem(model, images(config)) <= SMALL * TRAINING * resnet_tolerance(config)


@torch.no_grad()
def test_one_batch_norm_for_two_uses_is_another_network():
    """A batch norm belongs to a use of B, not to B: its weights differ from use to use."""
    model = theorems.random_network("MgNet[2,2]-[4]-B^l", 0).train()
    x = images(model.config, count=4)
    assert theorems.theorem_8_1(model, x) < 1e-12
    model.norm_u[0][1].weight.add_(0.5)
    assert theorems.theorem_8_1(model, x) < 1e-12
    levels = theorems.residual_levels(model)
    u = mgcore.descend(levels, model.pool(model.s[0](model.stem(x))))[-1].u
    model.norm_u[0][1] = model.norm_u[0][0]
    other = mgcore.descend(theorems.residual_levels(model), model.pool(model.s[0](model.stem(x))))[-1].u
    assert norm(other - u) > 1e-3 * norm(u)


@given(configs(form="feature"), SEEDS)
@torch.no_grad()
def test_theorem_6_1_of_a_network(config, seed):
    model = network(config, seed)
    assert theorems.theorem_6_1(model, images(config)) <= SMALL * tolerance(config)


@given(st.sampled_from(("bilinear", "linear")), st.integers(1, 3), st.integers(1, 9), SEEDS)
def test_lemma_4_1(transfers, dims, n, seed):
    """Sums of 3^dims terms, and inner products of so many values; weights of K_R are at most 1."""
    dims = 2 if transfers == "linear" else dims
    torch.manual_seed(seed)
    sizes = [n + i for i in range(dims)]
    r = torch.randn(1, 1, *sizes, dtype=torch.float64)
    e = torch.randn(1, 1, *((m + 1) // 2 for m in sizes), dtype=torch.float64)
    assert theorems.lemma_4_1(transfers, r, e) <= EPS * (3**dims + r.numel()) * 2**dims


@given(st.floats(0.01, 1.99), st.integers(1, 9), st.integers(1, 9), SEEDS)
def test_two_jacobi_steps_are_one_kernel(omega, n, m, seed):
    """(5.7): values grow to at most (1 + 4 omega)^2 < 81 times those of f and u, in sums of five terms."""
    torch.manual_seed(seed)
    f, u = torch.randn(2, 1, 1, n, m, dtype=torch.float64)
    size = max(float(f.abs().max()), float(u.abs().max()))
    assert theorems.two_jacobi_steps(omega, f, u) * float(u.abs().max()) * 1e-2 <= 81 * 20 * EPS * size


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: theorems.lemma_8_2(network(MODELS[0]), None), "Lemma 8.2 needs kind='sigma-ResNet'; got 'ResNet' in"),
        (lambda: theorems.lemma_8_2(network(MODELS[4]), None), "Lemma 8.2 needs batch_norm=False; got True in sigma-"),
        (lambda: theorems.residual_levels(network(MODELS[1])), "8.1 needs iteration='single'; got 'chebyshev' in"),
        (lambda: theorems.residual_levels(network(MODELS[2])), "Theorem 8.1 needs a linear A; got MgNet.*eta"),
        (lambda: theorems.multi_step_is_dense(network(MODELS[2]), None), r"\(3.22\) needs a linear A"),
        (lambda: theorems.multi_step_is_dense(network(MODELS[1]), None), 'needs the iteration "multi-step"; got MgNet'),
        (lambda: theorems.chebyshev_is_lm_resnet(network(MODELS[3]), None), 'needs the iteration "chebyshev"; got Mg'),
        (lambda: theorems.gdfi_is_mgnet(network(MODELS[1]), None), "GDFI as MgNet needs family='GDFI'; got 'MgNet'"),
        (lambda: theorems.wide_levels(network(MODELS[0])), "needs kind='pre-act ResNet' or 'Mg-iResNet'; got 'ResNet'"),
        (lambda: theorems.skip_activation(network(MODELS[0]), None), "needs kind='Mg-ResNet'; got"),
        (lambda: theorems.sign_of_A(network(MODELS[0]), None), "needs kind='Mg-iResNet'; got 'ResNet'"),
        (lambda: theorems.shared_A(network(MODELS[0]), None), r"needs A='A\^l'; got 'A\^{l,i}'"),
        (lambda: theorems.shared_A(nets.create_model("Mg-iResNet[2]-[4]"), None), "needs kind=.*; got 'Mg-iResNet'"),
        (lambda: theorems.appendix_a(network(MODELS[0])), r"Appendix A needs two grids or more; got ResNet\[1\]"),
        (lambda: theorems.theorem_4_1(network(MODELS[3]), None), "as many channels of u as of f"),
        (lambda: theorems.theorem_6_1_v(network(MODELS[3]), None), "on the way up needs a V-MgNet; got MgNet MgNet"),
        (lambda: theorems.lm_resnet(network(MODELS[1]), 1), r"l must be a grid, 0 \.\.\. 0; got 1"),
        (lambda: theorems.lemma_4_1("trained", None, None), "transfers must be 'bilinear' or 'linear'; got 'trained'"),
        (lambda: theorems.lemma_4_1("linear", torch.ones(3), None), r"r must be a tensor of shape \(N, 1, n, ...\)"),
    ],
)
def test_theorems_say_what_they_need(call, words):
    with pytest.raises(ValueError, match=words):
        call()


MODELS = (
    ResNetConfig((1,), (2,)),
    MgNetConfig((2,), (2,), (2,), iteration="chebyshev"),
    MgNetConfig((2,), (2,), (2,), A="xi.sigma.eta"),
    MgNetConfig((2,), (2,), (3,)),
    ResNetConfig((1,), (2,), "sigma-ResNet"),
)
MGNET = (
    *("theorem_6_1", "theorem_6_1_v", "theorem_8_1", "theorem_4_1", "residual_form", "multi_step_is_dense"),
    *("chebyshev_is_lm_resnet", "gdfi_is_mgnet", "residual_levels", "lm_resnet", "with_form"),
)
RESNET = (
    *("lemma_8_2", "sign_of_A", "shared_A", "skip_activation", "wide_levels", "iresnet_is_mgnet", "negated"),
    *("responses", "appendix_a"),
)


@pytest.mark.parametrize(
    ("theorem", "other"),
    [*((name, FAMILIES["VGG"]) for name in (*MGNET, *RESNET)), *((name, FAMILIES["MgNet"]) for name in RESNET)]
    + [(name, FAMILIES["ResNet"]) for name in (*MGNET, "as_sequential", "as_mgnet", "theorem_8_3")],
)
def test_another_network_is_refused(theorem, other):
    """A module that is no network of this package is a TypeError."""
    call = getattr(theorems, theorem)
    more = [None] * (len(signature(call).parameters) - 1)
    name, settings = other
    with pytest.raises(ValueError, match=r"^model: .* needs an? \w.*; got .*" + re.escape(name)):
        call(nets.create_model(name, **settings), *more)
    for wrong in (None, "MgNet[2]-[8]-B^l", nn.Linear(2, 2)):
        with pytest.raises(TypeError, match=f"got {type(wrong).__name__}"):
            call(wrong, *more)


def test_images_that_do_not_fit_are_refused():
    model = network(MgNetConfig((2,), (2,), (2,)))
    for theorem in (theorems.theorem_6_1, theorems.theorem_8_1, theorems.theorem_4_1, theorems.residual_form):
        with pytest.raises(ValueError, match=r"x must have shape \(N, 3, n, n\)"):
            theorem(model, torch.zeros(1, 4, 8, 8, dtype=torch.float64))
    with pytest.raises(TypeError, match=r"unet must be a nets\.theorems\.UNet; got MgNet"):
        theorems.unet_levels(model)


def test_the_command_prints_every_theorem(capsys):
    from nets.__main__ import main

    assert main(["theorems", "--seeds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    count = len(theorems.THEOREMS)
    assert len(lines) == count + len(theorems.LIMITS) + 3
    assert all(float(line.split()[-1]) < 1e-12 for line in lines[1 : count + 1])
    beyond = [float(line.split()[-1]) for line in lines[count + 2 : -1]]
    assert min(beyond) > 1e-2
    assert main(["theorems", "--seeds", "0"]) == 2
    assert main(["theorems", "--seed", "-1"]) == 2
