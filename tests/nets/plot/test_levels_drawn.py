"""Features and residuals on every grid, and kernels, as they are drawn."""

import pytest
import torch

import nets
from nets import plot
from nets.plot import levels as drawn

NAME = "MgNet[2,1,2]-[4,(6,5),8]-B^l"


@pytest.mark.parametrize("form", ["residual", "feature"])
def test_residuals_are_those_of_the_data(form):
    """On every grid r + A u is f: against the convolution of the registered A, in float64."""
    model = nets.create_model(NAME, form=form, in_channels=1).double()
    image = torch.randn(1, 11, 8, dtype=torch.float64)
    grids = plot.on_grids(model, image)
    assert model.training
    model.requires_grad_(False)
    visits = model.eval().visits(image[None])
    for grid, visit, A in zip(grids, visits, model.A, strict=True):
        assert torch.equal(grid.first, visit.u[0])
        f = grid.second + A(visit.u)[0]
        # sums of 9 c products of size 1 or so, and the sum of r and A u
        bound = 100 * torch.finfo(torch.float64).eps * float(visit.f.abs().max() + A(visit.u).abs().max())
        assert float((f - visit.f[0]).abs().max()) <= bound


def test_networks_on_data_alone_have_their_first_and_last_state():
    model = nets.create_model("ResNet[2,2]-[4,8]")
    grids = plot.on_grids(model, torch.randn(3, 8, 8))
    assert [tuple(grid.first.shape) for grid in grids] == [(4, 8, 8), (8, 4, 4)]
    assert all(grid.first.shape == grid.second.shape for grid in grids)
    assert not any(torch.equal(grid.first, grid.second) for grid in grids)


def test_mosaic_has_a_kernel_per_pair_of_channels():
    weight = torch.randn(5, 3, 3, 3)
    mosaic = drawn._mosaic(weight, 4)
    assert mosaic.shape == (4 * 4 - 1, 3 * 4 - 1)
    for i in range(4):
        for j in range(3):
            assert torch.equal(mosaic[4 * i : 4 * i + 3, 4 * j : 4 * j + 3], weight[i, j])
    assert int(mosaic.isnan().sum()) == mosaic.numel() - 4 * 3 * 9


def test_kernels_are_with_their_level():
    model = nets.create_model(NAME.replace("B^l", "B^{l,i}"))
    names = {level: [name for name, _ in row] for level, row in drawn._by_level(model).items()}
    assert names[1] == ["A   4 → 4", "B 1   4 → 4", "B 2   4 → 4"]
    assert names[2] == ["A   6 → 5", "B 1   5 → 6", "R   4 → 5", "Π   4 → 6"]
    weights = dict(drawn._by_level(model)[3])
    assert torch.equal(weights["R   5 → 8"], model.R[1].weight)


@pytest.mark.parametrize("name", ["ResNet[1,2]-[4,8]", "MgNet[1,1]-[(4,3)]-B^l-Pi_2", "GDFI[9]-[4]-A:K.sigma-B:K"])
def test_pictures_are_written(tmp_path, name):
    model = nets.create_model(name)
    plot.features(model, torch.randn(3, 9, 8), tmp_path / "features.png", channels=2)
    plot.kernels(model, tmp_path / "kernels.png", count=3)
    assert all((tmp_path / f"{kind}.png").stat().st_size > 3000 for kind in ("features", "kernels"))


def test_bad_arguments(tmp_path):
    model, path = nets.create_model(NAME), tmp_path / "a.png"
    with pytest.raises(TypeError, match=r"model must be a nets\.Network"):
        plot.on_grids(torch.nn.Identity(), torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match="image must be one image"):
        plot.features(model, torch.zeros(1, 3, 8, 8), path)
    with pytest.raises(ValueError, match="channels"):
        plot.features(model, torch.zeros(3, 8, 8), path, channels=0)
    with pytest.raises(ValueError, match=r"levels must be some of 1, 2, 3; got \[4\]"):
        plot.kernels(model, path, levels=[4])
    with pytest.raises(ValueError, match="dims=1"):
        plot.kernels(nets.create_model("MgNet[1]-[4]-B^l", dims=1), path)
    assert not path.exists()
