"""Trains the same network by hand (compare bench), in NumPy and in PyTorch, in alternation, and prints how they compare.

    pip install numpy torch
    python tests/reference/peers/side_by_side.py --data DIR [--rounds 5] [--only TITLE]

DIR has the four IDX files of MNIST. Every program gets the same number of threads. A peer counts by its fastest variant.
Ratios are taken round by round; the median is printed, and the least and the most. The last line of each job says how far
the rounds of the one by hand differ: more than a tenth, and the machine was not idle.
"""

import argparse
import datetime
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PEERS = ["numpy_peer.py", "pytorch_peer.py"]

# Title, and options that both sides understand.
JOBS = [
    ("SGD", []),
    ("Adam", ["--optimizer", "adam"]),
    ("SGD, sigmoid", ["--activation", "sigmoid"]),
    ("SGD, tanh", ["--activation", "tanh"]),
    ("SGD, noise", ["--noise"]),
    ("SGD, batch 1, 6,000 images", ["--batch-size", "1", "--images", "6000"]),
    ("SGD, batch 16", ["--batch-size", "16"]),
    ("SGD, batch 256", ["--batch-size", "256"]),
    ("SGD, batch 1024", ["--batch-size", "1024"]),
    ("SGD, batch 4096", ["--batch-size", "4096"]),
    ("SGD, one thread", ["--threads", "1"]),
]


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    # Exit code 4 of compare: the machine is noisy, which is seen from the figures themselves.
    if done.returncode not in (0, 4):
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def by_hand(program, options):
    """Median seconds of an epoch and of the inference, by implementation, and the dense floor of an epoch."""
    options = ["--train-size" if option == "--images" else option for option in options]
    bench = json.loads(run([program, "bench", "--json", "--quiet", "--rounds", "3", *options]))["bench"]
    name = lambda row: row["implementation"] if row["backend"] is None else f"{row['implementation']}/{row['backend']}"
    rows = {name(row): (row["epoch"]["median"], row["inference"]["median"]) for row in bench["measurements"]}
    return rows, bench["dense_floor"]


def peers(data, options):
    """The same of every peer's fastest variant."""
    rows = {}
    for peer in PEERS:
        lines = run([sys.executable, HERE / peer, "--data", data, "--epochs", "4", *options]).splitlines()
        variants = [json.loads(line) for line in lines if not line.startswith("#")]
        # The first epoch warms up.
        medians = [[statistics.median(row[key][1:]) for key in ("epochs", "inference")] for row in variants]
        best = min(range(len(variants)), key=lambda index: medians[index][0])
        rows[variants[best]["name"].split(",")[0]] = (medians[best], variants[best]["name"])
    return rows


def spread(values, unit="×"):
    between = f" ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else ""
    return f"{statistics.median(values):.2f}{unit}{between}"


def job(title, options, arguments):
    threads = [] if "--threads" in options else ["--threads", str(arguments.threads)]
    rounds = []
    for _ in range(arguments.rounds):
        own, floor = by_hand(arguments.compare, options + threads)
        others = peers(arguments.data, options + threads)
        rounds.append((own, floor, others))
    own = [row["scratch"] for row, _, _ in rounds]
    print(f"\n### {title}\n")
    print("| | epoch | of scratch's | test images | of scratch's |\n|---|---|---|---|---|")
    print(f"| scratch | {spread([epoch for epoch, _ in own], ' s')} | | {spread([1e3 * time for _, time in own], ' ms')} | |")
    for name in [name for name in rounds[0][0] if name != "scratch"]:
        line(name, [row[name] for row, _, _ in rounds], own)
    for name in rounds[0][2]:
        line(name, [others[name][0] for _, _, others in rounds], own, rounds[0][2][name][1])
    floors = [epoch / floor for (epoch, _), (_, floor, _) in zip(own, rounds)]
    epochs = [epoch for epoch, _ in own]
    noise = f" Its rounds differ by {max(epochs) / min(epochs) - 1:.0%}." if len(epochs) > 1 else ""
    print(f"\nScratch takes {spread(floors)} the dense floor.{noise}", flush=True)


def line(name, times, own, variant=None):
    epochs, inference = zip(*times)
    ratios = [spread([other / mine for other, mine in zip(side, mine)]) for side, mine in zip((epochs, inference), zip(*own))]
    seconds, milliseconds = spread(epochs, " s"), spread([1e3 * time for time in inference], " ms")
    print(f"| {variant or name} | {seconds} | {ratios[0]} | {milliseconds} | {ratios[1]} |")


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--compare", default=HERE.parents[2] / "target/release/compare")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", action="append", choices=[title for title, _ in JOBS], help="this job; may be repeated")
    arguments = parser.parse_args()
    print(f"{datetime.date.today()}, {processor()}, {platform.system()} {platform.machine()}, {arguments.threads} threads, "
          f"{arguments.rounds} rounds")
    for title, options in JOBS:
        if not arguments.only or title in arguments.only:
            job(title, options, arguments)


main()
