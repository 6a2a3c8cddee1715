"""Recipes: everything about a training run that is not the model, the data or the seed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from nets.common.checks import check_choices, check_integer, check_number, check_positive
from nets.data import Augmentation
from nets.data.sampling import SAMPLINGS, UNIFORM
from nets.models.freezing import as_text
from nets.training.class_weights import BALANCED, NONE, Weights, checked_weights
from nets.training.schedule import learning_rate

LOSSES = AUTO, CROSS_ENTROPY, BINARY, L2, H1, MSE = (
    *("auto", "cross-entropy", "binary cross-entropy"),
    *("relative L2", "H1", "mse"),
)
OPTIMIZERS = SGD, ADAMW = "sgd", "adamw"
CHOICES: dict[str, tuple[Any, ...]] = {
    "schedule": ("cosine", "linear", "step", "constant"),
    "momentum_form": ("torch", "S19"),
    "initialization": ("kaiming", "default"),
    "precision": ("float32", "bf16", "auto"),
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "keep": ("last", "best"),
    "sampling": SAMPLINGS,
    **dict.fromkeys(
        ("nesterov", "decay_norms", "channels_last", "compile", "whitening", "drop_last"),
        (True, False),
    ),
}
"""Values of the settings that are no numbers; `nets.data.Augmentation` has the settings of images."""


@dataclass(frozen=True)
class Recipe:
    """Stochastic gradient descent with momentum on the cross-entropy, Algorithm 5 of S19, and what goes with it.

    Or AdamW, and the losses of values on grids.

    Args:
        epochs: passes over the training part.
        batch: images per step, on all devices together.
        learning_rate: the largest one.
        schedule: how it falls after the warm-up: "cosine" (half a period) or "linear", both to 0, which with a warm-up
            is one cycle; "step", divided by step_factor after every step_epochs epochs; or "constant".
        warmup: fraction of the steps in which the rate rises, linearly.
        step_epochs, step_factor: of the schedule "step".
        momentum: a in (9.5); for AdamW the first of its betas, of which the second is 0.999.
        momentum_form: "torch", v = a v + g and w = w - lr v, or "S19", (9.5) and (9.6), v = a v - lr g and w = w + v.
            They differ where the learning rate changes.
        nesterov: whether the gradient is that at w + a v; of "sgd" alone.
        weight_decay: times the weights, added to the gradient; for AdamW not to the gradient but to the step, times the
            learning rate (Loshchilov and Hutter, arXiv 1711.05101).
        decay_norms: whether batch norms, biases and scalars decay too, as in the papers.
        label_smoothing: of the cross-entropy; of several labels per image, 1 and 0 move by half of it.
        clip_grad: largest 2-norm of the gradient; 0 does not clip.
        grad_accum: parts of a batch that are computed one after another, to save memory; batch norm sees one part.
        initialization: "kaiming", normal with fan out as in the papers, or "default", that of torch's layers.
        whitening: whether the first convolution makes the patches of the training images white and is not trained.
        crop_padding, crop_fill, flip, shift, rotation, scaling, cutout, resized_crop, mixup, cutmix: see
            `nets.data.Augmentation`.
        drop_last: whether a last partial batch is left out. One with less than two images for each device and part
            always is: batch norm needs two.
        averaging: d, the largest weight of the past in the exponential average of the weights; after t steps it is
            min(d, (1 + t) / (10 + t)). 0 does not average.
        norm_batches: batches of training images that give the batch norms of the averaged weights their statistics,
            before each evaluation; 0 averages the statistics like the weights.
        precision: "float32"; "bf16", bfloat16 where autocast uses it, with float32 weights; or "auto", on a CPU
            with AMX or AVX512-BF16 the fastest of float32, float32 with channels_last and bf16 with channels_last in a
            short trial, and float32 elsewhere.
        channels_last: whether the channels of a pixel lie together in memory.
        compile: whether torch.compile makes the training step faster; the first step then takes a minute or more.
        val_fraction: part of the training images that is held out, by the seed and class by class, to choose settings
            with.
        patience: epochs without a better leading figure of the validation part after which the run stops; 0 never does.
        keep: "last", or "best": the network of the epoch that is best on the validation part, the earliest of equals.
        limit_batches: steps per epoch at most, to try something out; 0 takes all images.
        loss: "cross-entropy" of classes; "binary cross-entropy" of several labels per image, the mean over the classes
            of that of a sigmoid; for values on grids "relative L2", the mean over the samples of ||p - t|| /
            ||t|| in the units of the targets; "H1", the same with first differences, divided by the spacing, where
            every axis has extent 1; or "mse", the mean squared error of targets divided by their standard deviation.
            "auto" is cross-entropy, binary cross-entropy or relative L2, as the targets are.
        optimizer: "sgd" with momentum, or "adamw".
        freeze: parts of the network that this run leaves as they are, in the form of `nets.freeze`: "stem, level 1", or
            "all but head".
        body_rate: factor > 0 of the learning rate for everything but the head, the last layer.
        class_weights: of the cross-entropy, "none"; "balanced", N / (K n_c) for n_c of N training images in one of K
            classes; or numbers, one per class, as (1, 2, 0.5), and "1,2,0.5" on the command line. The loss of a batch
            is the sum of w l over the sum of w, as in torch. Of points where the targets are classes of points; of
            several labels per image w is the weight of a 1 (torch's pos_weight), balanced (N - n_c) / n_c.
        sampling: of the training images, "uniform", each once in an epoch, or "balanced", every class equally often.

    >>> Recipe(epochs=10, learning_rate=0.05).schedule
    'cosine'
    """

    epochs: int = 40
    batch: int = 64
    learning_rate: float = 0.1
    schedule: str = "cosine"
    warmup: float = 0.2
    step_epochs: int = 30
    step_factor: float = 10.0
    momentum: float = 0.9
    momentum_form: str = "torch"
    nesterov: bool = True
    weight_decay: float = 5e-4
    decay_norms: bool = False
    label_smoothing: float = 0.1
    clip_grad: float = 0.0
    grad_accum: int = 1
    initialization: str = "kaiming"
    whitening: bool = False
    crop_padding: int = 0
    crop_fill: str = "zero"
    flip: str = "none"
    shift: float = 0.0
    rotation: float = 0.0
    scaling: float = 0.0
    cutout: int = 0
    resized_crop: float = 0.0
    drop_last: bool = False
    averaging: float = 0.0
    norm_batches: int = 0
    precision: str = "float32"
    channels_last: bool = False
    compile: bool = False
    val_fraction: float = 0.0
    patience: int = 0
    keep: str = "last"
    limit_batches: int = 0
    loss: str = AUTO
    optimizer: str = SGD
    freeze: str = ""
    body_rate: float = 1.0
    mixup: float = 0.0
    cutmix: float = 0.0
    class_weights: Weights = NONE
    sampling: str = UNIFORM

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "step_epochs", "grad_accum"):
            check_integer(name, getattr(self, name), 1)
        for name in ("norm_batches", "limit_batches", "patience"):
            check_integer(name, getattr(self, name), 0)
        check_positive("learning_rate", self.learning_rate)
        check_positive("body_rate", self.body_rate, "; freeze='all but head' trains the head alone")
        if self.freeze != "":
            object.__setattr__(self, "freeze", as_text(self.freeze))  # a sequence too
        check_number("step_factor", self.step_factor, least=1)
        for name in ("warmup", "momentum", "label_smoothing", "averaging", "val_fraction"):
            check_number(name, getattr(self, name), below=1)
        for name in ("weight_decay", "clip_grad"):
            check_number(name, getattr(self, name))
        check_choices(self, CHOICES)
        if self.optimizer == ADAMW and self.momentum_form != "torch":
            raise ValueError(f"momentum_form must be 'torch' for the optimizer 'adamw'; got {self.momentum_form!r}")
        object.__setattr__(self, "class_weights", checked_weights(self.class_weights))
        if self.sampling == self.class_weights == BALANCED:
            raise ValueError(f"sampling must be {UNIFORM!r} where class_weights are 'balanced'; got {BALANCED!r}")
        if self.norm_batches and not self.averaging:
            raise ValueError(f"norm_batches must be 0 where averaging is 0; got {self.norm_batches}")
        for name, off in (("patience", 0), ("keep", "last")):
            if not self.val_fraction and (value := getattr(self, name)) != off:
                raise ValueError(f"{name} must be {off!r} where val_fraction is 0; got {value!r}")
        if self.batch % self.grad_accum:
            raise ValueError(f"grad_accum must divide batch, {self.batch}; got {self.grad_accum}")
        _ = self.augmentation  # checks its settings

    @property
    def augmentation(self) -> Augmentation:
        """The augmentation of the training images."""
        return Augmentation(**{field.name: getattr(self, field.name) for field in fields(Augmentation)})

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0, out of `steps`."""
        return learning_rate(self, step, steps)
