"""Data sets: raw images, augmented and normalised batch by batch.

>>> import torch
>>> nets.data.load("digits")
Dataset('digits', 1,437 images for training, 360 for testing, 1 x 8 x 8 torch.float32, 10 classes)
"""

from nets.data.arrays import from_arrays
from nets.data.augment import Augmentation
from nets.data.batches import Batches
from nets.data.dataset import Dataset, Images, SourceFile
from nets.data.dense import Data, DenseDataset
from nets.data.dense_transform import DenseTransform
from nets.data.folder import image_folder, imagenet
from nets.data.images import ImageFiles
from nets.data.npz import load_dense
from nets.data.sets import DATA, found_in, is_known, load, takes_size
from nets.data.sklearn_digits import digits
from nets.data.subsets import excluded, validation_split
from nets.data.transform import Transform

__all__ = [
    "DATA",
    "Augmentation",
    "Batches",
    "Data",
    "Dataset",
    "DenseDataset",
    "DenseTransform",
    "ImageFiles",
    "Images",
    "SourceFile",
    "Transform",
    "digits",
    "excluded",
    "found_in",
    "from_arrays",
    "image_folder",
    "imagenet",
    "is_known",
    "load",
    "load_dense",
    "takes_size",
    "validation_split",
]
