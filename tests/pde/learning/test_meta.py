"""One network for a family of tensors: its symmetries, its cycles and a short training."""

import math

import numpy as np
import pytest
import torch

import pde
from mgcore import CYCLES
from pde.learning.family import Family
from pde.learning.meta import SIGNS, TURNS, MetaMultigrid, draw, features, rotated
from pde.learning.stencils import galerkin
from pde.learning.trainable import TrainableMultigrid

EPS = torch.finfo(torch.float64).eps
PAIR, SHAPE = (30.0, 0.2), (15, 15)


def random_network(**options):
    """A network whose last layer is not zero: kernels that differ from Jacobi."""
    model = MetaMultigrid(width=8, **options)
    with torch.no_grad():
        torch.nn.init.normal_(model.network[-1].weight, std=0.2, generator=torch.Generator().manual_seed(3))
    return model


def operator(*pair):
    return torch.as_tensor(Family(pde.Poisson((7, 7), coefficient=rotated(*pair))).stencil((7, 7)))


def test_before_training_it_is_damped_jacobi():
    problem = pde.Poisson(SHAPE, coefficient=rotated(*PAIR))
    classical = TrainableMultigrid(problem, omega=0.8).measure_factor(SHAPE)
    assert math.isclose(MetaMultigrid().measure_factor(PAIR, SHAPE), classical, rel_tol=1000 * EPS)


@pytest.mark.parametrize("number", range(4))
def test_turned_operators_have_turned_stencils(number):
    turn, A = TURNS[number], operator(*PAIR)
    model = random_network(kernel=5, sweeps=(1, 2))
    straight, turned = model.part(A), model.part(turn(A))
    assert not torch.allclose(straight.before, straight.after[:1], atol=1e-3)
    assert straight.after.shape == (2, 5, 5)
    for one, other in zip(straight, turned, strict=True):
        assert torch.allclose(turn(one), other, rtol=0, atol=100 * EPS)
    corner = straight.P[0, 0] - 0.25
    assert abs(corner) > 1e-3
    assert abs(turned.P[0, 0] - 0.25 - SIGNS[number] * corner) < 100 * EPS


def test_90_degrees_more_is_a_turn():
    model = random_network()
    straight, turned = model.parts((20, 0.1), 3), model.parts((110, 0.1), 3)
    for one, other in zip(straight, turned, strict=True):
        assert torch.allclose(TURNS[3](one.before), other.before, rtol=0, atol=1e4 * EPS)


@pytest.mark.parametrize("pair", [(0, 1.0), (30, 0.1), (45, 0.01), (100, 0.5)])
def test_features_tell_angle_and_ratio_on_every_grid(pair):
    angle, ratio = math.radians(pair[0]), pair[1]
    size = (1 - ratio) / (1 + ratio)
    wanted = [size * math.cos(2 * angle), size * math.sin(2 * angle), math.log(4 * ratio / (1 + ratio) ** 2) / 2]
    A, model = operator(*pair), random_network()
    for _ in range(3):
        assert torch.allclose(features(7 * A)[-3:], torch.tensor(wanted, dtype=A.dtype), rtol=0, atol=1e4 * EPS / ratio)
        part = model.part(A)
        A = galerkin(A, part.P, part.R)


@pytest.mark.parametrize("symmetric", [False, True])
def test_its_parts_make_the_cycle_of_a_trainable(symmetric):
    problem = pde.Poisson(SHAPE, coefficient=rotated(*PAIR))
    model = random_network(symmetric=symmetric, sweeps=(2, 2))
    trainable = model.to_trainable(problem)
    f = torch.randn(SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted, made = trainable(f), CYCLES["V"](model.levels(PAIR, SHAPE), f)
    assert torch.allclose(made, wanted, rtol=0, atol=1e4 * EPS * float(wanted.abs().max()))


def test_its_solver_makes_the_same_cycles():
    problem = pde.Poisson(SHAPE, coefficient=rotated(*PAIR))
    model = random_network()
    mg = model.to_trainable(problem).to_multigrid()
    f = np.random.default_rng(0).standard_normal(SHAPE)
    with torch.no_grad():
        wanted = CYCLES["V"](model.levels(problem, SHAPE), torch.as_tensor(f)).numpy()
    assert np.allclose(mg.cycle(f), wanted, rtol=0, atol=1e4 * EPS * np.abs(wanted).max())


def test_symmetric_cycles_are():
    levels = random_network(symmetric=True).levels(PAIR, (7, 7))
    unit = torch.eye(49, dtype=torch.float64).reshape(49, 7, 7)
    B = CYCLES["V"](levels, unit).reshape(49, 49).detach()
    assert torch.allclose(B, B.T, rtol=0, atol=1000 * EPS * float(B.abs().max()))


def test_training_helps_on_an_angle_and_a_ratio_held_out():
    ratios = (0.1, 1.0)
    model = MetaMultigrid(width=16)
    model.fit(steps=25, batch=4, rate=0.01, ratios=ratios, problems=16, grids=3)
    assert PAIR not in draw(16, ratios, 0)
    start, end = (m.measure_factor(PAIR, (31, 31)) for m in (MetaMultigrid(), model))
    assert math.log(end) < 1.5 * math.log(start)


def test_training_follows_its_seed_alone():
    state = torch.random.get_rng_state()
    first, again, other = (MetaMultigrid(width=4).fit(steps=2, batch=2, problems=4, grids=2, seed=s) for s in (1, 1, 2))
    assert first == again != other
    assert torch.equal(torch.random.get_rng_state(), state)


def test_single_precision_and_no_gradients_around_it():
    options = {"steps": 2, "batch": 2, "problems": 4, "grids": 2}
    one, two = MetaMultigrid(width=4), MetaMultigrid(width=4).float()
    with torch.no_grad():
        losses = one.fit(**options)
    assert np.allclose(two.fit(**options), losses, rtol=1e5 * torch.finfo(torch.float32).eps)
    assert two.measure_factor(PAIR, (7, 7)) < 1


@pytest.mark.parametrize("rate", [10.0, 1e200])
def test_training_that_diverges_keeps_the_best_parameters(rate, capsys):
    model = MetaMultigrid(width=4)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    losses = model.fit(steps=20, batch=2, rate=rate, problems=4, grids=2)
    assert len(losses) < 20
    assert "diverged" in capsys.readouterr().err
    if losses[0] == min(losses[:-1]):
        assert all(torch.equal(value, start[name]) for name, value in model.state_dict().items())
    assert model.measure_factor(PAIR, (7, 7)) < 1


def test_drawn_tensors_lie_in_the_range():
    angles, ratios = np.array(draw(64, (0.05, 0.5), 0)).T
    assert angles.min() < 10 < 170 < angles.max() <= 180
    assert 0.05 <= ratios.min() < 0.06 < 0.4 < ratios.max() <= 0.5


def test_stencils_follow_the_spacing():
    """A reaction is weaker beside the diffusion on a finer grid."""
    model, problem = random_network(), pde.Poisson((7, 7), extent=(1.0, 2.0), reaction=50.0)
    part, fine = model.parts(problem, 1)[0], model.parts(pde.Poisson((15, 15), extent=(1.0, 2.0), reaction=50.0), 1)[0]
    levels, fine_levels = (model.levels(problem, (n, n)) for n in (7, 15))
    for level, wanted in ((levels[0], part), (fine_levels[0], fine)):
        K = level.B[0].args[0] * level.info[1, 1]
        assert torch.allclose(K, wanted.before[0], rtol=0, atol=10 * EPS)
    assert not torch.allclose(part.before, fine.before, atol=1e-3)


@pytest.mark.parametrize("given", ["a problem", (30.0,), None])
def test_what_is_no_problem_is_named(given):
    with pytest.raises(TypeError, match="problem"):
        MetaMultigrid().parts(given)


@pytest.mark.parametrize("angle", [0, 30, 135])
def test_tensor(angle):
    a = math.radians(angle)
    along, across = np.array([math.cos(a), math.sin(a)]), np.array([-math.sin(a), math.cos(a)])
    assert np.allclose(rotated(angle, 0.1) @ along, along, rtol=0, atol=10 * EPS)
    assert np.allclose(rotated(angle, 0.1) @ across, 0.1 * across, rtol=0, atol=10 * EPS)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: rotated(0, 0.0), "ratio"),
        (lambda: draw(4, (0.5, 2.0), 0), "ratios"),
        (lambda: MetaMultigrid(width=0), "width"),
        (lambda: MetaMultigrid(cycle="X"), "cycle"),
        (lambda: MetaMultigrid().parts(pde.Poisson((7, 7, 7))), "two dimensions"),
        (lambda: MetaMultigrid().parts(pde.Poisson((7, 7), boundary="neumann")), "Dirichlet"),
        (lambda: MetaMultigrid().levels(PAIR, (8, 8)), "shape"),
        (lambda: MetaMultigrid().fit(steps=0), "steps"),
        (lambda: MetaMultigrid().fit(batch=0), "batch"),
        (lambda: MetaMultigrid().fit(grids=1), "grids"),
        (lambda: MetaMultigrid().fit(seed=-1), "seed"),
        (lambda: MetaMultigrid().fit(rate=-1.0), "rate"),
        (lambda: MetaMultigrid().fit(ratios=3), "ratios"),
        (lambda: rotated(math.inf, 0.1), "angle"),
        (lambda: MetaMultigrid().levels(PAIR, (15,)), "shape"),
    ],
)
def test_bad_input(call, named):
    with pytest.raises(ValueError, match=named):
        call()
