"""Names of networks that are known, and those that are near to one that is not."""

from __future__ import annotations

from difflib import get_close_matches

MODELS = (
    "MgNet[2,2]-[32]-B^{l,i}",  # digits, 8 x 8
    "MgNet[2,2,2,2]-[256]-B^l",
    "MgNet[2,2,2,2]-[256]-B^{l,i}",
    "MgNet[4,2,2,2]-[256]-B^l",
    "MgNet[8,2,2,2]-[256]-B^l",
    "MgNet[16,2,2,2]-[256]-B^l",
    "MgNet[32,2,2,2]-[256]-B^l",
    "MgNet[2,2,2,2]-[512]-B^l",
    "MgNet[2,2,2,2]-[768]-B^l",
    "MgNet[2,2,2,2]-[1024]-B^l",
    "MgNet[8,2,2,2]-[1024]-B^l",
    "MgNet[2,2,2,2]-[32,64,128,256]-B^l",
    "MgNet[2,2,2,2]-[64,128,256,512]-B^l",
    "MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}",
    "MgNet[2,2,2,2]-[128,256,512,1024]-B^l",
    "MgNet[2,2,2,2]-[128,256,512,1024]-B^{l,i}",
    "MgNet[2,2,2,2]-[256,512,1024,2048]-B^l",
    "MgNet[3,4,6,3]-[128,256,512,1024]-B^{l,i}",
    *(
        f"{kind}{depth}-{A}-{B}"
        for kind in ("ResNet", "pre-act ResNet")
        for depth in (18, 34)
        for B in ("B^{l,i}", "B^l")
        for A in ("A^{l,i}", "A^l")
    ),
    "V-MgNet[2,2,2,2]-[32,64,128,256]-B^l",
    "MgNO[1,1,1,1,1,2]-[24]",
    "GDFI[2,2,2,2]-[256]-A:K-B:sigma.K.sigma",
    "GDFI[2,2,2,2]-[64,128,256,512]-A:K-B:sigma.K.sigma",
    "sigma-ResNet18-A^{l,i}-B^{l,i}",
    "sigma-ResNet34-A^{l,i}-B^{l,i}",
    "Mg-ResNet18-A^l-B^{l,i}",
    "Mg-ResNet34-A^l-B^{l,i}",
    "Mg-iResNet18-A^l-B^{l,i}",
    "Mg-iResNet34-A^l-B^{l,i}",
    "DenseNet[4,4,4,4]-[64,128,256,512]",
    "LM-ResNet18-A^{l,i}-B^{l,i}",
    "LM-ResNet34-A^{l,i}-B^{l,i}",
    "WideResNet28*2",
    "WideResNet28*10",
    "WideResNet40*2",
    *("ResNet50", "ResNet101", "ResNet152", "WideResNet50*2"),
    "LeNet-5",
    "AlexNet",
    *("VGG11", "VGG13", "VGG16", "VGG19"),
)
"""Networks of the papers' tables and texts; `create_model` takes any other name of the same grammar as well."""


def nearest(name: str) -> list[str]:
    """Up to two known names that are spelled like this one, the most similar first."""
    known = {_plain(known): known for known in (*(name.partition("-A^")[0] for name in MODELS), *MODELS)}
    return [known[match] for match in get_close_matches(_plain(name), known, n=2)]


def _plain(name: str) -> str:
    return name.replace(" ", "").lower()
