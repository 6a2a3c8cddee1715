"""V-MgNet is Algorithm 4, at any image size."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mgcore
import nets
from mgcore import checks
from nets import MgNetConfig
from tests.nets.networks import EPS, configs, images, network, norm, tolerance

SEEDS = st.integers(0, 2**16)
V = {"family": "V-MgNet"}


def up(model, visits):
    """The way up of Algorithm 4 for the single step, from the recorded way down."""
    u = visits[-1].u
    for l in reversed(range(len(visits) - 1)):
        fine, coarse, s = visits[l], visits[l + 1], model.s[l]
        e = u if coarse.u0 is None else u if u is None else u - coarse.u0
        if e is not None:
            p = model.P[l](e, output_size=fine.f.shape[2:])
            u = p if fine.u is None else fine.u + p  # (6.15)
        else:
            u = fine.u
        for i in range(model.config.nu_post[l]):
            B = model.B_post[l][i if model.config.extractor == "variable" else 0]
            v = B(s(model.norm_f_post[l][i](fine.f - model.A[l](u))))
            v = v * model.alpha_post[l][i].weight if model.config.extractor == "scaled" else v
            u = u + s(model.norm_u_post[l][i](v))  # (6.16)
    return u


@given(configs(**V, iteration="single"), st.sampled_from(("feature", "residual")), SEEDS, st.integers(5, 9))
@torch.no_grad()
def test_network_is_algorithm_4(config, form, seed, size):
    model = network(replace(config, form=form), seed)
    x = images(config, size)
    visits = model.visits(x)
    expected, got = up(model, visits), model.forward_features(x)
    largest = max(float(v.abs().max()) for v in (expected, *(visit.f for visit in visits)))
    assert got.shape == (2, config.channels_u[0], *x.shape[2:])
    # the way up makes as many sweeps again
    bound = tolerance(config) * 3.5 ** sum(config.nu_post)
    assert float((got - expected).abs().max()) <= bound * largest
    assert torch.equal(model(x), model.head(got))


@given(configs(**V, activation="identity", batch_norm=False, form="feature"), SEEDS)
@torch.no_grad()
def test_any_pi_gives_the_v_cycle(config, seed):
    """Theorem 6.1 on the way up: Pi changes nothing of u^1."""
    model = network(config, seed)
    bound = 1e3 * tolerance(config) * 3.5 ** sum(config.nu_post)
    assert checks.theorem_6_1_v(model.levels, model.stem(images(config)), norm) <= bound


@pytest.mark.parametrize("iteration", ["single", "multi-step", "chebyshev"])
@pytest.mark.parametrize("extractor", ["constant", "scaled", "variable"])
def test_forms_agree_in_training_mode(iteration, extractor):
    ends = []
    for form in ("feature", "residual"):
        config = MgNetConfig((2, 1, 1), (3, 4, 3), (4, 5, 4), extractor, form=form, iteration=iteration, **V)
        model = network(config, seed=3).train()
        torch.manual_seed(4)
        y = model(images(config, size=12, count=4))
        y.square().sum().backward()
        ends.append([y, *(p.grad for p in model.parameters() if p.grad is not None and p.grad.abs().max() > 1e-8)])
    # Pi has gradients of the size of rounding in feature form, and none in residual form
    assert len(ends[0]) == len(ends[1])
    for a, b in zip(*ends, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@torch.no_grad()
def test_the_way_up_has_weights_of_its_own():
    """omega of the post-smoother changes u^1 and nothing on the way down."""
    model = network(MgNetConfig((3, 1), (3, 3), (4, 4), iteration="chebyshev", **V))
    x = images(model.config)
    before, down = model.forward_features(x), model.visits(x)
    model.iteration_post[0].omega.mul_(2)
    assert not torch.equal(model.forward_features(x), before)
    assert all(torch.equal(a.u, b.u) for a, b in zip(model.visits(x), down, strict=True))


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("size", [5, 6, 7, 8, 9])
@pytest.mark.parametrize(
    ("name", "transfers"), [("V-MgNet[1,1,1]-[2,3,4]-B^l", "trained"), ("V-MgNet[1,1,1;2,0]-[(2,3)]-B^l", "bilinear")]
)
def test_any_size_in_any_dimension(dims, size, name, transfers):
    model = nets.create_model(name, dims=dims, num_classes=5, transfers=transfers)
    shape = [size + i for i in range(dims)]
    assert model(torch.randn(2, 3, *shape)).shape == (2, 5, *shape)


@given(st.sampled_from(("bilinear", "linear")), st.lists(st.integers(2, 9), min_size=2, max_size=2), SEEDS)
@torch.no_grad()
def test_fixed_prolongation_is_the_transpose_of_restriction(transfers, size, seed):
    """<R f, v> = <f, P v>, for every size, odd or even."""
    torch.manual_seed(seed)
    model = network(MgNetConfig((1, 1), (3, 3), (3, 3), transfers=transfers, **V), seed)
    f = torch.randn(2, 3, *size, dtype=torch.float64)
    v = torch.randn(2, 3, *((n + 1) // 2 for n in size), dtype=torch.float64)
    Rf, Pv = model.R[0](f), model.P[0](v, output_size=f.shape[2:])
    # sums of at most 2 * 3 * 81 products, each of them of nine terms
    assert abs(float((Rf * v).sum() - (f * Pv).sum())) <= 2 * 6 * 81 * 9 * EPS * float(Rf.norm() * v.norm() + 1)


def test_bilinear_prolongation_interpolates():
    """Coarse points keep their values, and a line stays a line between them."""
    model = nets.create_model("V-MgNet[1,1]-[1]-B^l", dims=1, transfers="bilinear")
    e = torch.tensor([[[1.0, 3.0, 7.0]]])
    assert model.P[0](e, output_size=(5,)).tolist() == [[[1, 2, 3, 5, 7]]]
    assert model.P[0](e, output_size=(6,)).tolist() == [[[1, 2, 3, 5, 7, 3.5]]]  # zero outside the grid


@torch.no_grad()
def test_sweeps_on_the_way_up_are_counted_apart():
    """No post-smoothing at all is the \\-cycle (Algorithm 2) of the same levels."""
    model = network(nets.naming.lookup.configuration("V-MgNet[2,1,1;0,0]-[3]-B^{l,i}"))
    x = images(model.config)
    f = model.s[0](model.stem(x))
    assert torch.equal(model.forward_features(x), mgcore.backslash_cycle(model.levels, f))
    v = nets.models.registry.network(nets.naming.lookup.configuration("V-MgNet[2,1,1;0,3]-[3]-B^{l,i}"))
    assert [len(B) for B in v.B_post] == [len(n) for n in v.norm_u_post] == [0, 3]


def test_every_parameter_but_none_of_the_coarsest_post_smoother():
    """P, B' and its two batch norms on every grid but the coarsest; one linear map for all pixels.

    Pi and the last A of the coarsest grid have no effect on u^1.
    """
    plain, v = (nets.create_model(f"{kind}[2,1]-[4,6]-B^l") for kind in ("MgNet", "V-MgNet"))
    heads = (4 + 1) * 10 - (6 + 1) * 10
    assert nets.parameters(v) - nets.parameters(plain) == 9 * 6 * 4 + 9 * 4 * 4 + 2 * 4 * 4 + heads
    v(torch.randn(2, 3, 8, 8)).square().sum().backward()
    without = {name for name, p in v.named_parameters() if p.grad is None or p.grad.abs().max() == 0}
    assert without == {"A.1.weight", "Pi.0.weight", "norm_Pi.0.weight", "norm_Pi.0.bias"}


def test_heads_and_checkpoints():
    model = nets.create_model("V-MgNet[1,1]-[4,6]-B^l", num_classes=0)
    x = torch.randn(2, 3, 8, 8)
    assert model.eval()(x).shape == (2, 4, 8, 8)
    model.double().reset_classifier(3)
    assert model(x.double()).shape == (2, 3, 8, 8)
    again = nets.models.registry.network(nets.naming.lookup.configuration(str(model.config), **model.config.settings()))
    again.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match="model must classify images; got V-MgNet"):
        nets.train(model, "digits")


@pytest.mark.slow
@pytest.mark.parametrize("iteration", ["single", "multi-step"])
def test_compiles_as_one_graph(iteration):
    torch._dynamo.reset()
    model = nets.create_model("V-MgNet[2,1]-[2,3]-B^l", iteration=iteration).eval()
    x = torch.randn(1, 3, 7, 8)
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), model(x))
