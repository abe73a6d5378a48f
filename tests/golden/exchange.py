"""Checks that PyTorch and ONNX Runtime compute the expected logits from files that this project has written.

    pip install numpy safetensors torch onnxruntime
    compare export network.safetensors network.onnx
    python exchange.py --parameters network.safetensors --onnx network.onnx --answers answers.safetensors

`answers.safetensors` contains images and the expected logits. If it contains no logits, those of PyTorch are added to it. A
program that is not installed is skipped with a message; with --require that is an error.
"""

import argparse
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

TOLERANCE = 1e-5


def by_pytorch(parameters, activation, images):
    """Returns the logits that PyTorch computes from a parameter file, and the name and version of the program."""
    import torch

    state = {name: torch.from_numpy(values) for name, values in load_file(parameters).items()}
    weights = [name for name in state if name.endswith(".weight")]
    # Order the layers layer1, layer2, …, output_layer.
    weights.sort(key=lambda name: (name.startswith("output"), int("0" + "".join(filter(str.isdigit, name)))))
    modules = torch.nn.ModuleDict({name[: -len(".weight")]: torch.nn.Linear(*reversed(state[name].shape)) for name in weights})
    modules.load_state_dict(state, strict=True)
    values = torch.from_numpy(images)
    with torch.no_grad():
        for index, layer in enumerate(modules.values()):
            values = layer(values)
            if index + 1 < len(modules):
                values = getattr(torch, activation)(values)
    return values.numpy(), f"PyTorch {torch.__version__}"


def by_onnxruntime(path, images):
    """Returns the logits that ONNX Runtime computes from an ONNX file, and the name and version of the program.

    Exits if the file's probabilities are not the softmax of its logits.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits, probabilities = session.run(["logits", "probabilities"], {"images": images})
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    if np.abs(probabilities - expected).max() > TOLERANCE:
        sys.exit("ONNX Runtime: the probabilities are not the softmax of the logits")
    return logits, f"ONNX Runtime {onnxruntime.__version__}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parameters", help="parameter file for PyTorch")
    parser.add_argument("--activation", default="relu", choices=["relu", "sigmoid", "tanh"], help="for --parameters")
    parser.add_argument("--onnx", help="ONNX file for ONNX Runtime")
    parser.add_argument("--answers", required=True, help="images and expected logits")
    parser.add_argument("--require", action="store_true", help="fail if a program is not installed")
    arguments = parser.parse_args()
    answers = load_file(arguments.answers)
    evaluations = []
    if arguments.parameters:
        evaluations.append(lambda: by_pytorch(arguments.parameters, arguments.activation, answers["images"]))
    if arguments.onnx:
        evaluations.append(lambda: by_onnxruntime(arguments.onnx, answers["images"]))
    for evaluate in evaluations:
        try:
            logits, name = evaluate()
        except ModuleNotFoundError as error:
            if arguments.require:
                sys.exit(f"{error}; install it with pip")
            print(f"skipped: {error}")
            continue
        if "logits" not in answers:
            save_file({**answers, "logits": logits}, arguments.answers)
            print(f"{name}: logits written")
            continue
        difference = np.abs(logits - answers["logits"]).max()
        print(f"{name}: logits differ by at most {difference:.2e}")
        if not difference <= TOLERANCE:
            sys.exit(f"{name}: the logits differ by more than the tolerance {TOLERANCE}")


main()
