"""MgNO is its formulas; W is linear and runs mgcore's V-cycle; sizes, counts, names, bad input."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import mgcore
import nets
from nets import theorems
from nets.models.operators import prolonged
from nets.training.checks import _check_step
from tests.nets.networks import EPS, TRANSPOSED, check_registered_once_and_used, images, mgnos, network, rounding_bound

SEEDS = st.integers(0, 2**16)
FORMS = pytest.mark.parametrize("form", ["residual", "published"])
NAME = "MgNO[1,1,1,1,1,2]-[24]"


def up(W, l, e, like):
    return prolonged(W.P[l], e, like.shape[2:], W.padding)


def residual(W, f, l=0):
    """One A per grid, u = 0 first: u <- u + B_i (f - A u), u <- u + P (W of the coarser grids)(R (f - A u)), B'."""
    u = None
    for B in W.B[l]:
        u = B(f) if u is None else u + B(f - W.A[l][0](u))
    if l < len(W.R):
        r = f if u is None else f - W.A[l][0](u)
        e = up(W, l, residual(W, W.R[l](r), l + 1), f)
        u = e if u is None else u + e
        for B in W.B_post[l]:
            u = u + B(f - W.A[l][0](u))
    return u


def published(W, f, u=None, l=0):
    """Every sweep its own A; down with R f and Pi u, up with u + P u."""
    A = list(W.A[l])
    for B in W.B[l]:
        u = B(f) if u is None else u + B(f - A.pop(0)(u))
    if l < len(W.R):
        u = u + up(W, l, published(W, W.R[l](f), W.Pi[l](u), l + 1), f)
    return u


@given(mgnos(), SEEDS, st.integers(8, 11))
@torch.no_grad()
def test_network_is_its_formulas(config, seed, size):
    """v <- s(W v + K v), to the bit; and what the last W leaves on each grid."""
    model, v = network(config, seed), images(config, size)
    x, formula = v, residual if config.form == "residual" else published
    for W, K in zip(model.W, model.K, strict=True):
        data, v = v, model.s[0](formula(W, v) + K(v))
    assert torch.equal(model.forward_features(x), v)
    assert torch.equal(model.forward_levels(x)[0], v)
    assert torch.equal(model(x), model.head(v))
    assert torch.equal(model.W[-1](data), mgcore.v_cycle(model.levels, data))
    assert torch.equal(model.visits(x)[0].f, data)


@given(mgnos(layers=1), SEEDS, st.floats(-10, 10), st.floats(-10, 10))
@torch.no_grad()
def test_W_is_linear(config, seed, a, b):
    W, size = network(config, seed).W[0], (2, config.in_channels, 8, 9)
    torch.manual_seed(seed)
    f, g = (torch.randn(size, dtype=torch.float64) for _ in range(2))
    bound = 4 * rounding_bound(W, abs(a) * f.abs() + abs(b) * g.abs())  # of three W, and the sums around them
    assert bool(((W(a * f + b * g) - (a * W(f) + b * W(g))).abs() <= bound).all())


@FORMS
def test_a_nonlinear_W_would_be_seen(form):
    W = network(nets.MgNOConfig((1, 1), (2, 2), form=form)).W[1]
    W.R[0] = nn.Sequential(W.R[0], nn.ReLU())
    f = torch.randn(1, 2, 8, 8, dtype=torch.float64)
    assert float((W(-f) + W(f)).detach().abs().max()) > 1e-3


def test_parameters_by_hand():
    """9 weights per pair of channels, 16 in the published P; c_f is 1 in the first layer, 24 in the other three."""
    count = {form: nets.parameters(create(form)) for form in ("residual", "published")}
    square, pointwise = 24 * 24, (24 + 24) + 3 * (24 * 24 + 24) + (24 + 1)  # K, and the head
    # 7 B; A on 6 grids, on the coarsest for its second sweep; 5 R; 5 P
    first, later = (7 + 6) * 9 * 24 + 5 * 9 + 5 * 9 * square, (7 + 6 + 5 + 5) * 9 * square
    assert count["residual"] == first + 3 * later + pointwise == 388_342
    # 7 B; 6 A, in every sweep but that which starts from zero; 5 R; 5 Pi; 5 P
    first = (7 + 6) * 9 * 24 + 5 * 9 + 5 * (9 + 16) * square
    later = (7 + 6 + 5 + 5) * 9 * square + 5 * 16 * square
    assert count["published"] == first + 3 * later + pointwise == 572_662


def create(form="residual", name=NAME, **settings):
    return nets.create_model(name, form=form, **{"in_channels": 1, "num_classes": 1, **settings})


@pytest.mark.parametrize("nu", ["[1,1]", "[2,1;1]", "[0,2]", "[0,2;2]", "[0,0,1;0,1]", "[3]", "[1]"])
def test_every_weight_is_used(nu):
    """A exists where f - A u is read; in the published form all sweeps but the first have one."""
    for form in ("residual", "published"):
        if form == "published" and (";" in nu or "0" in nu):
            continue
        model = create(form, f"MgNO{nu}-[3]")
        model(torch.randn(2, 1, 8, 8)).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
        assert not any(row.unused for row in nets.summary(model, (1, 8, 8)).rows)


def test_A_is_applied_once_per_sweep():
    """nu per grid, less one where nothing reads the last residual: the residual form of mgcore would not save any."""
    model = create(name="MgNO[2,1,3;1,0]-[2]", layers=1)
    uses = {name: count for row in nets.summary(model, (1, 8, 8)).rows for name, count in row.shared.items()}
    assert uses == {"W.0.A.0.0": 3, "W.0.A.2.0": 2}
    levels, f = model.levels, torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(mgcore.v_cycle(mgcore.residual_form(levels), f), model.W[0](f))


@pytest.mark.parametrize("padding", ["zeros", "reflect", "circular"])
@pytest.mark.parametrize("dims", [1, 2, 3])
@FORMS
def test_any_size_in_any_dimension(form, dims, padding):
    model = create(form, "MgNO[1,1,1]-[2,3,4]", dims=dims, padding=padding, num_classes=5)
    for n in (5, 6, 7, 8):
        size = tuple(n + i for i in range(dims))
        assert model(torch.randn(2, 1, *size)).shape == (2, 5, *size)


@given(st.integers(2, 6), st.booleans(), st.sampled_from(("zeros", "reflect", "circular")), SEEDS)
@torch.no_grad()
def test_prolongation_by_4_pixels(n, even, padding, seed):
    """Fine pixel j takes k_{j + 1 - 2 i} of coarse pixel i; those outside are zero, mirrored or around the end."""
    torch.manual_seed(seed)
    P = TRANSPOSED[0](1, 1, 4, stride=2, padding=1, bias=False).double()
    e, k = torch.randn(n, dtype=torch.float64), P.weight[0, 0]
    # -1 about coarse pixel 0; n at fine pixel 2 n, about the last one, 2 n - 1
    outside = {"zeros": (0.0, 0.0), "reflect": (e[1], e[-1]), "circular": (e[-1], e[0])}[padding]
    values = {-1: outside[0], n: outside[1], **dict(enumerate(e))}
    size = 2 * n if even else 2 * n - 1
    expected = [sum(k[j + 1 - 2 * i] * v for i, v in values.items() if 0 <= j + 1 - 2 * i < 4) for j in range(size)]
    got = prolonged(P, e[None, None], (size,), padding)[0, 0]
    bound = 8 * EPS * float(k.abs().max() * e.abs().max())  # two products of each side, and their sum
    assert float((got - torch.stack(expected)).abs().max()) <= bound


@FORMS
def test_circular_padding_commutes_with_shifts(form):
    model = network(nets.MgNOConfig((2, 1, 1), (3, 2, 4), form=form, padding="circular"))
    assert theorems.circular_shifts(model, images(model.config, 8)[..., :8]) == 0


@FORMS
def test_gradients(form):
    model = create(form, "MgNO[1,2]-[2]", layers=2).double()
    x = torch.randn(1, 1, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(model, (x,), fast_mode=True)
    weights = dict(model.named_parameters())

    def of_weights(*values):
        return torch.func.functional_call(model, dict(zip(weights, values, strict=True)), (x.detach(),))

    assert torch.autograd.gradcheck(of_weights, tuple(weights.values()), fast_mode=True)


@FORMS
@torch.no_grad()
def test_values_do_not_grow_at_first(form):
    """A gain of 2 per grid or layer would leave 2^60 after ten layers on six grids."""
    torch.manual_seed(0)
    model, v = create(form, layers=10), torch.randn(2, 1, 64, 64)
    for k in range(10):
        v = model._layer(k, v)
        assert 0 < float(v.std()) < 1  # that of the first v


def test_forms_are_other_networks():
    """Also where weights have the same names and shapes: `form` is no setting that leaves the function as it is."""
    one, other = create(name="MgNO[2,1]-[3]"), create("published", "MgNO[2,1]-[3]")
    for a, b in ((one, other), (other, one)):
        with pytest.raises(RuntimeError, match="state_dict does not fit MgNO"):
            a.load_state_dict(b.state_dict())
    assert nets.naming.lookup.own_settings("MgNO[2,1]-[3]", other.config.settings())["form"] == "published"


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        (NAME, {"form": "feature"}, "form must be 'auto' or 'residual' or 'published'; got 'feature'"),
        (NAME, {"layers": 0}, "layers must be an integer >= 1; got 0"),
        (NAME, {"batch_norm": True}, "batch_norm must be False; got True"),
        (NAME, {"input": "imagenet"}, "input must be 'cifar'; got 'imagenet'"),
        (NAME, {"iteration": "chebyshev"}, "iteration is a setting of MgNet and GDFI, which 'MgNO.*' is not"),
        (NAME, {"activation": "hat:5,10"}, "activation must give 1 support"),
        ("MgNO[1,0]-[8]", {}, r'nu\[1\] must be at least 1 where form="residual", or its f is not read; got 0'),
        ("MgNO[0,1]-[8]", {"form": "published"}, r'nu\[0\] must be at least 1 where form="published"'),
        ("MgNO[1,1;1]-[8]", {"form": "published"}, r'nu_post must be zeros or None where form="published"; got \(1,\)'),
        ("MgNet[1]-[8]-B^l", {"layers": 2}, "layers is a setting of MgNO, which 'MgNet.*' is not; got 2"),
        ("ResNet18", {"form": "published"}, "form is a setting of MgNet, GDFI and MgNO, which 'ResNet18' is not"),
    ],
)
def test_bad_settings(name, settings, words):
    with pytest.raises((TypeError, ValueError), match=words):
        nets.create_model(name, **settings)


def test_bad_sizes():
    with pytest.raises(ValueError, match=r"x is too small: grid 5 of 6 would have 1x1 pixels.*got \(1, 1, 16, 16\)"):
        create()(torch.zeros(1, 1, 16, 16))
    with pytest.raises(ValueError, match=r"grid 2 of 2 would have 4x1 pixels, and padding='reflect' by 1 needs 2"):
        create(name="MgNO[1,1]-[2]", padding="reflect")(torch.zeros(1, 1, 8, 2))
    with pytest.raises(ValueError, match=r"whitening sets the weights of the stem, and MgNO.* has none"):
        _check_step(create(), torch.zeros(1, 1, 64, 64), nets.Recipe(whitening=True), 1)
    with pytest.raises(ValueError, match="nu_post must be 1 number, one per grid"):
        nets.MgNOConfig((1, 1), (2, 2), (1, 1))


@given(mgnos())
def test_every_parameter_has_a_gradient_and_one_place(config):
    check_registered_once_and_used(config)
