"""Data sets: raw images, augmented and normalised batch by batch.

>>> import torch
>>> nets.data.load("digits")
Dataset('digits', 1,437 images for training, 360 for testing, 1 x 8 x 8 torch.float32, 10 classes)
"""

from nets.data.augment import Augmentation
from nets.data.batches import Batches
from nets.data.dataset import Dataset, Images, SourceFile
from nets.data.folder import image_folder, imagenet
from nets.data.images import ImageFiles
from nets.data.sets import DATA, found_in, is_known, load, takes_size
from nets.data.sklearn_digits import digits
from nets.data.subsets import excluded, validation_split

__all__ = [
    "DATA",
    "Augmentation",
    "Batches",
    "Dataset",
    "ImageFiles",
    "Images",
    "SourceFile",
    "digits",
    "excluded",
    "found_in",
    "image_folder",
    "imagenet",
    "is_known",
    "load",
    "takes_size",
    "validation_split",
]
