"""Saves the report's network from PyTorch, and its logits for some images.

    pip install torch safetensors numpy
    python state_dict.py

writes `report.safetensors`, the state_dict of a network with PyTorch's default initial parameters, and
`report-logits.safetensors`, images and their logits. The tests of this project read the first and must compute the second.
"""

import pathlib

import torch
from safetensors.torch import save_file


class Mlp(torch.nn.Module):
    """The report's module. Its attribute names determine the tensor names in the file."""

    def __init__(self):
        super().__init__()
        self.layer1 = torch.nn.Linear(784, 500)
        self.layer2 = torch.nn.Linear(500, 250)
        self.layer3 = torch.nn.Linear(250, 100)
        self.output_layer = torch.nn.Linear(100, 10)

    def forward(self, images):
        values = images
        for layer in (self.layer1, self.layer2, self.layer3):
            values = torch.relu(layer(values))
        return self.output_layer(values)


def main():
    folder = pathlib.Path(__file__).parent
    torch.manual_seed(0)
    network = Mlp()
    images = torch.randint(0, 256, (8, 784)) / 255
    with torch.no_grad():
        logits = network(images)
    save_file(network.state_dict(), folder / "report.safetensors")
    save_file({"images": images, "logits": logits}, folder / "report-logits.safetensors")
    print("PyTorch", torch.__version__)


if __name__ == "__main__":
    main()
