"""Parameters and multiply-adds of the headline network in both forms.

python benchmarks/network_cost.py
"""

from __future__ import annotations

import report

import nets

NAME = "MgNet[2,2,2,2]-[256]-B^l"


def main() -> None:
    rows = []
    for classes in (10, 100):
        for form in ("residual", "feature"):
            model = nets.create_model(NAME, num_classes=classes, form=form)
            cost = nets.multiply_adds(model, (3, 32, 32))
            rows.append([NAME, classes, form, f"{nets.parameters(model):,}", f"{cost:,}", f"{cost / 1e9:.3f}"])
    body = report.table(["network", "classes", "form", "parameters", "multiply-adds", "in 1e9"], rows)
    body += (
        "\n\nPer 3 x 32 x 32 image; convolutions and the linear layer are counted. The feature form is Algorithm 3 to\n"
    )
    body += (
        "the letter, which applies A to u = 0 on the finest grid; that alone costs 256 * 256 * 9 * 32 * 32 = 0.604e9.\n"
    )
    report.write("network_cost", "Cost of MgNet in residual and feature form", body)


if __name__ == "__main__":
    main()
