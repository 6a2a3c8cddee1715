"""Abilities of every network, whatever its family: features, formats, copies, compilers, less memory."""

import copy
import io
import pickle
import threading

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel

import nets
from nets.inspect import memory
from nets.models import recompute
from tests.nets.families import FAMILIES, create

every_family = pytest.mark.parametrize("family", FAMILIES)
LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


def images(*size, count=2):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(5))


@every_family
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_features_per_level(family, dims):
    model, size = create(family, dims=dims, num_classes=0).eval(), (9, 8, 7)[:dims]
    x = images(*size)
    levels = model.forward_levels(x)
    for l, (u, info) in enumerate(zip(levels, model.feature_info, strict=True)):
        assert info.level == l + 1
        assert u.shape == (2, info.channels, *(-(-n // info.stride) for n in size))
    features = model.forward_features(x)
    assert any(torch.equal(features, u) for u in (levels[0], levels[-1]))
    assert torch.equal(model(x), model.forward_head(features))


@pytest.mark.parametrize("family", [family for family in FAMILIES if not family.startswith(("V-", "MgNO"))])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_strides_of_the_large_stem(family, dims):
    size = (31, 18, 21)[:dims]
    with torch.device("meta"):  # VGG has large layers after its last grid
        model = create(family, dims=dims, input="imagenet").eval()
    for u, info in zip(model.forward_levels(images(*size).to("meta")), model.feature_info, strict=True):
        assert u.shape[2:] == tuple(-(-n // info.stride) for n in size)


@every_family
def test_heads(family):
    model, x = create(family).eval(), images(8, 8)
    features = model.forward_features(x)
    model.reset_classifier(7)
    assert model.config.num_classes == 7
    assert model(x).shape[1] == 7
    assert torch.equal(model.forward_features(x), features)
    assert model.double().forward_head(features.double()).dtype == torch.float64
    model.reset_classifier(0)
    assert model.forward_head(features.double()).shape[1] == features.shape[1]
    for classes, error in ((-1, ValueError), ("7", TypeError), (True, TypeError)):
        with pytest.raises(error, match="num_classes must be an integer >= 0"):
            model.reset_classifier(classes)


@every_family
@pytest.mark.parametrize("dims", [2, 3])
def test_channels_last_is_kept(family, dims):
    """On every level, by the pointwise operations as well as by the convolutions."""
    model = create(family, dims=dims).to(memory_format=LAST[dims])
    x = images(9, 8, 7)[:, :, 0] if dims == 2 else images(9, 8, 7)
    for u in model.forward_levels(x.contiguous(memory_format=LAST[dims])):
        assert u.is_contiguous(memory_format=LAST[dims])
        assert not u.is_contiguous()
    for u in model.forward_levels(x):
        assert u.is_contiguous() == (not u.is_contiguous(memory_format=LAST[dims]))


@every_family
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions(family, dtype):
    model = create(family)
    expected = copy.deepcopy(model)(images(8, 8)).detach()
    got = model.to(dtype)(images(8, 8).to(dtype))
    assert got.dtype == dtype
    # a difference of a half, relative, is another function and not rounding: 2^-8 in each of some twenty operations
    assert float((got.detach().float() - expected).norm()) <= 0.5 * float(expected.norm())


@every_family
def test_autocast(family):
    model = create(family)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(images(8, 8))
    assert y.dtype == torch.bfloat16
    y.float().square().sum().backward()
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def saved(model):
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def loaded(model):
    other = type(model)(model.config)
    other.load_state_dict(saved(model))
    return other.eval()


def averaged(model):
    average = AveragedModel(model, use_buffers=True)
    average.update_parameters(model)
    return average.module.eval()


@every_family
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), loaded, averaged])
@torch.no_grad()
def test_copies_stand_alone(family, copied):
    model, x = create(family).eval(), images(8, 8)
    before, other = model(x), copied(model)
    assert torch.equal(other(x), before)
    assert other.config == model.config
    for weight in other.parameters():
        weight.add_(1)
    assert torch.equal(model(x), before)


def replaced(model, kind, new):
    """Every module of a kind takes another one's place."""
    for name, module in list(model.named_modules()):
        if isinstance(module, kind):
            owner, _, last = name.rpartition(".")
            setattr(model.get_submodule(owner), last, new(module))
    return model


@every_family
@torch.no_grad()
def test_replaced_modules_take_part(family):
    """All batch norms become group norms, all activations a softplus: both are used, and nothing of the old ones."""
    model = replaced(create(family), _BatchNorm, lambda norm: nn.GroupNorm(1, norm.num_features)).eval()
    x = images(8, 8)
    before = model(x)
    for l in range(len(model.s)):
        model.s[l] = nn.Softplus()
    assert not torch.equal(model(x), before)
    uses = []
    for module in model.modules():
        if isinstance(module, nn.GroupNorm | nn.Softplus):
            module.register_forward_hook(lambda module, x, y: uses.append(module))
    model(x)
    ours = [module for module in model.modules() if isinstance(module, nn.GroupNorm | nn.Softplus)]
    unused = {name.split(".")[0] for name, module in model.named_modules() if module in ours and module not in uses}
    assert unused <= {"norm_A_f", "norm_A_u", "norm_Pi"}


@every_family
def test_evaluation_repeats_training(family):
    """With the statistics of one batch a network evaluates that batch as in training, or two uses of a batch norm on
    different inputs share them."""
    model, x = create(family).double().train(), images(8, 8, count=16).double()
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
        norm.weight.data.uniform_(0.5, 2.0)
        norm.bias.data.normal_()
        norm.register_forward_hook(_without_correction)
    expected = model(x).detach()
    for norm in norms:
        norm._forward_hooks.clear()
    y = model.eval()(x).detach()
    # rounding of a few hundred sums in sequence, of up to 1e3 terms each
    torch.testing.assert_close(y, expected, rtol=0, atol=1e6 * torch.finfo(y.dtype).eps * float(expected.abs().max()))


def _without_correction(norm, inputs, output):
    """Training divides by the variance of n numbers, evaluation by n / (n - 1) times that."""
    n = inputs[0].numel() // inputs[0].shape[1]
    norm.running_var *= (n - 1) / n


EXPORTED = (
    "MgNet, Pi_2",
    "ResNet, layer norm",
    "V-MgNet",
    "ResNet",
    "LM-ResNet",
    "DenseNet",
    "VGG",
)  # the others are built of the same


@pytest.mark.parametrize("family", [pytest.param(f, marks=() if f in EXPORTED else pytest.mark.slow) for f in FAMILIES])
def test_exports_for_any_batch_and_size(family):
    model, auto = create(family).eval(), torch.export.Dim.AUTO
    shapes = {"x": {0: torch.export.Dim("batch", min=1), 2: auto, 3: auto}}
    program = torch.export.export(model, (images(9, 8),), dynamic_shapes=shapes).module()
    for x in (images(9, 8, count=5), images(12, 11, count=3)):
        torch.testing.assert_close(program(x), model(x))


SMALLEST = ("MgNet[1,1]-[2]-B^l", "V-MgNet[1,1]-[2]-B^l-Pi_0", "MgNO[1,1]-[2]", "ResNet[1,1]-[2]", "DenseNet[1,1]-[2]")


@pytest.mark.parametrize("name", SMALLEST)
def test_is_one_graph(name):
    """The graph that torch.compile traces; the slow tests compile it, for every family."""
    torch._dynamo.reset()
    model, x = nets.create_model(name), images(5, 4)
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.slow
@every_family
@pytest.mark.parametrize("checkpointing", [False, True])
def test_compiles_as_one_graph(family, checkpointing):
    torch._dynamo.reset()
    model, x = create(family, activation_checkpointing=checkpointing), images(9, 8, count=4)
    plain = copy.deepcopy(model)
    plain.set_activation_checkpointing(False)
    expected, got = plain(x), torch.compile(model, fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(got, expected)
    got.square().sum().backward()
    expected.square().sum().backward()
    for p, q in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-4, atol=1e-5)
    for name, buffer in model.named_buffers():
        torch.testing.assert_close(buffer, plain.get_buffer(name))


def steps(model, count=3):
    """Training steps; the gradients of all of them."""
    optimizer, gradients = torch.optim.SGD(model.parameters(), 0.05), []
    for step in range(count):
        x = torch.randn(4, 3, 9, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        model(x).square().mean().backward()
        gradients += [p.grad.clone() for p in model.parameters() if p.grad is not None]
        optimizer.step()
    return gradients


@every_family
def test_activation_checkpointing_changes_no_bit(family):
    plain, model = (create(family) for _ in range(2))
    model.load_state_dict(plain.state_dict())
    model.set_activation_checkpointing()
    ours, theirs = steps(model), steps(plain)
    assert len(ours) == len(theirs)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    state = plain.state_dict()
    assert all(torch.equal(weight, state[name]) for name, weight in model.state_dict().items())
    assert copy.deepcopy(model).activation_checkpointing


def test_the_statistics_would_change_without_care(monkeypatch):
    """The test above can fail: where batch norms are left alone, they count every batch twice."""
    plain, model = (create("MgNet") for _ in range(2))
    model.load_state_dict(plain.state_dict())
    model.set_activation_checkpointing()
    monkeypatch.setattr(recompute, "statistics_kept", torch.enable_grad)
    steps(model), steps(plain)
    assert int(plain.norm_f[0][0].num_batches_tracked) == 3
    assert int(model.norm_f[0][0].num_batches_tracked) == 6


@every_family
def test_activation_checkpointing_lowers_the_peak(family):
    """Bytes that live between the passes and at the most; the same ones are counted on the CPU."""
    plain, ours = (create(family, activation_checkpointing=checkpointing) for checkpointing in (False, True))
    before, after = (nets.training_memory(model, (3, 16, 16), 8) for model in (plain, ours))
    assert after.between < 0.6 * before.between
    assert after.peak < 0.85 * before.peak
    assert memory.step_memory(ours, images(16, 16, count=8)) == after


def test_memory_of_a_step_by_hand():
    """Four channels of a convolution, 256 bytes, and their ReLU: a sum, and on the way back a gradient of each."""
    model = nn.Sequential(nn.Conv1d(1, 4, 3, padding=1, bias=False), nn.ReLU())
    found = nets.training_memory(model, (1, 8), 2)
    assert found.between == 256  # ReLU keeps what it returns
    # what ReLU returned, its gradient, that of the 12 weights, the sum and the 1 that the way back starts from
    assert found.peak == 256 + 256 + 12 * 4 + 4 + 4
    assert all(p.grad is None and p.device.type == "cpu" for p in model.parameters())


def test_memory_of_bad_arguments():
    with pytest.raises(ValueError, match="batch must be an integer >= 1; got 0"):
        nets.training_memory(create("MgNet"), (3, 8, 8), 0)
    with pytest.raises(ValueError, match=r"input_size must be \(3, n, n\)"):
        nets.training_memory(create("MgNet"), (1, 8, 8))
    with pytest.raises(TypeError, match="model must be a network; got str"):
        nets.training_memory("MgNet[2]-[8]-B^l", (3, 8, 8))


def test_statistics_are_kept_in_their_own_thread_alone():
    ours, theirs, x = nn.BatchNorm1d(3), nn.BatchNorm1d(3), torch.randn(4, 3)
    with recompute.statistics_kept():
        ours(x)
        other = threading.Thread(target=theirs, args=(x,))
        other.start()
        other.join()
    assert int(ours.num_batches_tracked) == 0
    assert int(theirs.num_batches_tracked) == 1


def test_activation_checkpointing_is_true_or_false():
    with pytest.raises(TypeError, match="enable must be True or False; got 1"):
        create("MgNet", activation_checkpointing=1)


@pytest.mark.parametrize("name", SMALLEST)
def test_checkpointing_with_several_backward_passes(name):
    """A graph that is kept, and gradients of gradients: values and statistics as without checkpointing."""
    results = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = nets.create_model(name, activation_checkpointing=checkpointing).train()
        x = images(5, 4).requires_grad_()
        loss = model(x).square().mean()
        loss.backward(retain_graph=True)
        (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
        gradient.square().sum().backward()
        results.append([p.grad for p in model.parameters() if p.grad is not None] + list(model.buffers()))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
