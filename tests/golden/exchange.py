"""Asks PyTorch and ONNX Runtime what a network that was written here answers.

    pip install numpy safetensors torch onnxruntime
    compare export network.safetensors network.onnx
    python exchange.py --parameters network.safetensors --onnx network.onnx --answers answers.safetensors

`answers.safetensors` has images and the logits that are expected. What is not installed is not asked, and said; --require
makes that an error. Without logits PyTorch's are written there.
"""

import argparse
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

ALLOWED = 1e-5


def by_pytorch(parameters, activation, images):
    import torch

    state = {name: torch.from_numpy(values) for name, values in load_file(parameters).items()}
    weights = [name for name in state if name.endswith(".weight")]
    # layer1, layer2, …, and output_layer at the end.
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
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits, probabilities = session.run(["logits", "probabilities"], {"images": images})
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    if np.abs(probabilities - expected).max() > ALLOWED:
        sys.exit("ONNX Runtime: the probabilities are not the softmax of the logits")
    return logits, f"ONNX Runtime {onnxruntime.__version__}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parameters")
    parser.add_argument("--activation", default="relu", choices=["relu", "sigmoid", "tanh"])
    parser.add_argument("--onnx")
    parser.add_argument("--answers", required=True)
    parser.add_argument("--require", action="store_true", help="fail where something is not installed")
    arguments = parser.parse_args()
    answers = load_file(arguments.answers)
    asked = []
    if arguments.parameters:
        asked.append(lambda: by_pytorch(arguments.parameters, arguments.activation, answers["images"]))
    if arguments.onnx:
        asked.append(lambda: by_onnxruntime(arguments.onnx, answers["images"]))
    for ask in asked:
        try:
            logits, name = ask()
        except ModuleNotFoundError as error:
            if arguments.require:
                sys.exit(f"{error}; pip install it")
            print(f"not asked: {error}")
            continue
        if "logits" not in answers:
            save_file({**answers, "logits": logits}, arguments.answers)
            print(f"{name}: logits written")
            continue
        difference = np.abs(logits - answers["logits"]).max()
        print(f"{name}: logits differ by at most {difference:.2e}")
        if not difference <= ALLOWED:
            sys.exit(f"{name} answers something else: more than {ALLOWED} apart")


main()
