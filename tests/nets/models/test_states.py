"""A state_dict of another architecture is refused, and the message says where the two part."""

import copy
import re
import warnings

import pytest
import torch
from torch.optim.swa_utils import AveragedModel

import nets
from nets import CheckpointError
from nets.naming import lookup
from tests.nets.families import FAMILIES, create

NAME = "MgNet[2,1,1,1]-[4,4,6,6]-B^l"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            "MgNet[2,1,1,1]-[4,5,6,6]-B^l",
            r"level 2 of 4: A\.1\.weight has shape \(5, 5, 3, 3\), the model needs \(4, 4, 3, 3\); \d+ weights differ",
        ),
        (
            "MgNet[2,1,1,1]-[(4,4),(4,4),(6,7),(6,6)]-B^l",
            r"level 3 of 4: A\.2\.weight has shape \(7, 6, 3, 3\), the model needs \(6, 6, 3, 3\)",
        ),
        ("MgNet[2,1,1,1]-[4,4,6,6]-B^{l,i}", r"level 1 of 4: B\.0\.1\.weight is not in the model$"),
        ("MgNet[2,1,1,2]-[4,4,6,6]-B^l", r"level 4 of 4: norm_f\.3\.1\.weight is not in the model"),
        ("MgNet[2,1,1,0]-[4,4,6,6]-B^l", r"level 4 of 4: B\.3\.0\.weight is missing"),
        ("MgNet[2,1,1]-[4,4,6]-B^l", r"level 4 of 4: A\.3\.weight is missing"),
        (
            "MgNet[2,1,1,1,1]-[4,4,6,6,6]-B^l",
            r"level 5 \(the model has 4\): A\.4\.weight is not in the model",
        ),
        ("ResNet[2,2]-[4,6]", r"level 1 of 4: A\.0\.weight is missing"),
    ],
)
def test_the_first_difference_is_named(other, words):
    model = nets.create_model(NAME)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(RuntimeError, match=f"^state_dict does not fit {re.escape(NAME)}: {words}"):
        model.load_state_dict(nets.create_model(other).state_dict())
    assert all(torch.equal(w, before[name]) for name, w in model.state_dict().items())


def test_stem_and_head_have_names():
    model = nets.create_model(NAME)
    with pytest.raises(RuntimeError, match=r"stem: stem.conv.weight has shape \(4, 1, 3, 3\).* needs \(4, 3, 3, 3\)$"):
        model.load_state_dict(nets.create_model(NAME, in_channels=1).state_dict())
    with pytest.raises(RuntimeError, match=r"head: head.weight has shape \(7, 6\).*; 2 weights differ in all$"):
        model.load_state_dict(nets.create_model(NAME, num_classes=7).state_dict())


def wrapped(model, prefix):
    """As AveragedModel, DataParallel and torch.compile write the state of a model, one around the other or alone."""
    if prefix == "module.":
        return AveragedModel(model).state_dict()
    return model.state_dict(prefix=prefix)


PREFIXES = ("", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.")


@pytest.mark.parametrize("prefix", PREFIXES[1:])
def test_states_of_wrapped_models_in_memory(prefix):
    model = nets.create_model(NAME)
    with pytest.raises(RuntimeError, match=rf"stem: stem\.conv\.weight is missing.* begin with '{prefix}'"):
        model.load_state_dict(wrapped(model, prefix))


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("key", [None, "state_dict", "model_state_dict", "model"])
def test_files_of_other_programs(prefix, key, tmp_path):
    """A state_dict alone or in a dictionary, with the prefixes of wrappers; its description still counts."""
    model, path = nets.create_model(NAME), tmp_path / "weights.pt"
    state = wrapped(model, prefix)
    torch.save(state if key is None else {"epoch": 3, key: state, "optimizer": {"lr": 0.1}}, path)
    taken = nets.create_model(NAME, weights=path).state_dict()
    assert all(torch.equal(taken[name], w) for name, w in model.state_dict().items())
    with pytest.raises(CheckpointError, match=r"weights\.pt holds a network with activation='relu'"):
        nets.create_model(NAME, activation="gelu", weights=path)


def test_what_is_not_unwrapped_is_named(tmp_path):
    """A prefix of nothing known here, and an entry of another name."""
    model, path = nets.create_model(NAME), tmp_path / "weights.pt"
    torch.save(model.state_dict(prefix="backbone."), path)
    with pytest.raises(CheckpointError, match=r"all its names begin with 'backbone\.', which no network here has"):
        nets.create_model(NAME, weights=path)
    torch.save({"epoch": 1, "net": model.state_dict()}, path)
    with pytest.raises(CheckpointError, match=r"as one of 'state_dict', .*; tensors are in 'net': save that entry"):
        nets.create_model(NAME, weights=path)


@pytest.mark.parametrize("wrap", [dict, lambda state: {"model": state}])
def test_load_into_takes_a_state(wrap, tmp_path):
    model, path = nets.create_model(NAME), tmp_path / "weights.pt"
    torch.save(wrap(wrapped(model, "module.")), path)
    assert torch.equal(nets.load(path, into=nets.create_model(NAME)).head.weight, model.head.weight)


EQUAL = (  # names and shapes of weights are the same
    ("GDFI[2,1]-[6]-A:K.sigma-B:K", {}, "GDFI[2,1]-[6]-A:sigma.K-B:K", {}),
    ("Mg-ResNet[2,2]-[6,8]", {}, "Mg-iResNet[2,2]-[6,8]", {}),
    ("MgNet[2,1]-[6]-B^l", {"activation": "relu"}, "MgNet[2,1]-[6]-B^l", {"activation": "gelu"}),
    ("MgNet[2,1]-[6]-B^l", {"activation": "hat:5,10"}, "MgNet[2,1]-[6]-B^l", {"activation": "hat:10,5"}),
    ("MgNet[1]-[6]-B^l", {"iteration": "single"}, "MgNet[1]-[6]-B^l", {"iteration": "chebyshev"}),
    ("VGG[2,1]-[6,8]", {"activation": "relu"}, "VGG[2,1]-[6,8]", {"activation": "identity"}),
)


@pytest.mark.parametrize(("name", "settings", "other", "others"), EQUAL)
def test_weights_that_fit_another_network(name, settings, other, others, tmp_path):
    """A state says which network it is from, also from a file; a plain dict of tensors does not."""
    model, state = nets.create_model(name, **settings), nets.create_model(other, **others).state_dict()
    before = copy.deepcopy(model.state_dict())
    difference = re.escape(other) if name != other else rf"a network with {next(iter(others))}='"
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    for found in (state, copy.deepcopy(state), torch.load(path, weights_only=True)):
        with pytest.raises(RuntimeError, match=f"state_dict does not fit {re.escape(name)}.*: it holds {difference}"):
            model.load_state_dict(found)
    assert all(torch.equal(w, before[key]) for key, w in model.state_dict().items())
    for classes in (10, 7):  # with its head, and without
        with pytest.raises(CheckpointError, match=rf"weights\.pt holds {difference}"):
            nets.create_model(name, num_classes=classes, weights=path, **settings)
    assert model.load_state_dict(state, strict=False)
    assert model.load_state_dict(dict(state))
    assert torch.equal(model.head.weight, state["head.weight"])


def test_another_form_or_head_is_no_other_network():
    model = nets.create_model(NAME, form="feature")
    assert model.load_state_dict(nets.create_model(NAME, form="residual").state_dict())
    model.reset_classifier(7)
    with pytest.raises(RuntimeError, match=r"head: head\.weight has shape"):
        model.load_state_dict(nets.create_model(NAME).state_dict())


@pytest.mark.parametrize("family", FAMILIES)
def test_descriptions_name_the_family(family):
    description = create(family).config.description
    kind = description["family"]
    assert description["notation"].startswith(kind)
    assert lookup.described(description) == create(family).config


def test_arrays_are_no_tensors():
    model = nets.create_model(NAME)
    with pytest.raises(TypeError, match=r"must map names to tensors; stem\.conv\.weight is a ndarray"):
        model.load_state_dict({name: w.numpy() for name, w in model.state_dict().items()})


@pytest.mark.parametrize("kind", [torch.int8, torch.complex64])
def test_weights_of_another_kind_of_number(kind, tmp_path):
    model, words = nets.create_model(NAME), f"must hold floating-point weights; head.weight is {kind}"
    state = {name: w.to(kind) if name == "head.weight" else w for name, w in model.state_dict().items()}
    with pytest.raises(TypeError, match=words):
        model.load_state_dict(state)
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=rf"weights: .*a\.pt: .*{words}"):
        nets.create_model(NAME, weights=tmp_path / "a.pt")


def test_a_loose_load_takes_what_fits():
    model, other = nets.create_model(NAME), nets.create_model("MgNet[2,1,1,1]-[4,4,6,6]-B^{l,i}")
    found = model.load_state_dict(other.state_dict(), strict=False)
    assert found.unexpected_keys == ["B.0.1.weight"]
    assert torch.equal(model.B[0][0].weight, other.B[0][0].weight)
    with pytest.raises(RuntimeError, match=r"level 2 of 4: A\.1.weight has shape"):
        model.load_state_dict(nets.create_model("MgNet[2,1,1,1]-[4,5,6,6]-B^l").state_dict(), strict=False)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_of_weights(family, tmp_path):
    """Another head is left out, with a warning; the rest is taken."""
    model, path = create(family, num_classes=3), tmp_path / "weights.pt"
    torch.save(model.state_dict(), path)
    body = {name: w for name, w in model.state_dict().items() if not name.startswith("head.")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = create(family, num_classes=3, weights=path).state_dict()
    assert all(torch.equal(same[name], w) for name, w in model.state_dict().items())
    for classes, words in ((7, r"the model's own \(head.weight \(7, .*keeps its initial"), (0, "the model has none")):
        with pytest.warns(UserWarning, match=rf"the head in .*weights.pt \(head.weight \(3, .*left out; {words}"):
            other = create(family, num_classes=classes, weights=path)
        assert all(torch.equal(other.state_dict()[name], w) for name, w in body.items())
    torch.save(body, path)
    with pytest.warns(UserWarning, match=r"weights.pt has no head; the model's own"):
        create(family, num_classes=2, weights=path)


def test_a_file_of_other_weights(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(nets.create_model("MgNet[1,1]-[4,6]-B^l").state_dict(), path)
    words = r"weights\.pt holds MgNet.*, the model is MgNet.*; level 2 of 2: A\.1\.weight has shape \(6, 6, 3, 3\)"
    with pytest.raises(CheckpointError, match=words):
        nets.create_model("MgNet[1,1]-[4,5]-B^l", weights=path)
    for content in ([1, 2], {}, {"lr": 0.1}):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match=r"weights\.pt holds neither a checkpoint of nets.train nor a state"):
            nets.create_model(NAME, weights=path)
    with pytest.raises(TypeError, match="weights must be the path of a file; got dict"):
        nets.create_model(NAME, weights={})
