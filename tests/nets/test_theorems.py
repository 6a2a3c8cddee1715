"""The theorems that connect the networks, on the networks themselves.

Theorems 6.1 and 8.1 need A linear, and nothing of B, R and Pi.
"""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mgcore import checks
from nets import MgNetConfig, ResNetConfig, theorems
from tests.nets.networks import configs, images, network, norm, resnets, tolerance

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


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: theorems.lemma_8_2(network(MODELS[0]), None), "Lemma 8.2 needs a sigma-ResNet"),
        (lambda: theorems.residual_levels(network(MODELS[1])), 'about the iteration "single"; got'),
        (lambda: theorems.residual_levels(network(MODELS[2])), "Theorem 8.1 needs a linear A"),
        (lambda: theorems.multi_step_is_dense(network(MODELS[2]), None), 'about the iteration "multi-step"'),
        (lambda: theorems.chebyshev_is_lm_resnet(network(MODELS[2]), None), 'about the iteration "chebyshev"'),
    ],
)
def test_theorems_say_what_they_need(call, words):
    with pytest.raises(ValueError, match=words):
        call()


MODELS = (
    ResNetConfig((1,), (2,)),
    MgNetConfig((2,), (2,), (2,), iteration="chebyshev"),
    MgNetConfig((2,), (2,), (2,), A="xi.sigma.eta"),
)


def test_the_command_prints_every_theorem(capsys):
    from nets.__main__ import main

    assert main(["theorems", "--seeds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(theorems.THEOREMS) + 2
    assert all(float(line.split()[-1]) < 1e-12 for line in lines[1:-1])
    assert main(["theorems", "--seeds", "0"]) == 2
