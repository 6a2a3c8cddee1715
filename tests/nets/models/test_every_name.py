"""Every named network in 1, 2 and 3 dimensions, at odd sizes."""

import pytest
import torch

import nets
from nets import plot

SIZES = (65, 67, 71)


@pytest.mark.slow
@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("name", nets.list_models())
def test_builds_and_reads_back(name, dims, tmp_path):
    with torch.device("meta"):
        model = nets.create_model(name, dims=dims)
    assert nets.naming.lookup.configuration(str(model.config), **model.config.settings()) == model.config
    size = (3, *SIZES[:dims])
    assert f"{nets.parameters(model):,}" in str(nets.summary(model, size))
    plot.cycle(model, tmp_path / "cycle.png", size)
    assert (tmp_path / "cycle.png").stat().st_size > 0


@pytest.mark.slow
@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("name", nets.list_models())
@torch.no_grad()
def test_scores_are_finite(name, dims):
    torch.manual_seed(0)
    model = nets.create_model(name, dims=dims)
    y = model(torch.randn(2, 3, *SIZES[:dims]))
    assert y.shape[:2] == (2, 10)
    assert y.isfinite().all()
