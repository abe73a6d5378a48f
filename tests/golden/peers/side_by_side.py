"""Trains the same network by hand (compare bench), in Burn, in NumPy and in PyTorch, and prints how they compare.

    pip install numpy torch
    python tests/golden/peers/side_by_side.py --data DIR [--turns 2] [--rounds 6] [--only TITLE]

DIR has the four IDX files of MNIST. Every program gets the same number of threads. What else a machine does only adds to the
time of an epoch, so that the fastest one counts, of the fastest variant. Every program has a turn of some epochs in every job,
round by round, until it had as many as asked for and the fastest epochs of two differ by at most a twentieth. The last column
says by how much they differ at most: more than that, and the machine was not idle in enough rounds. Ctrl-C, or a program that
fails, ends it with what is known by then.
"""

import argparse
import datetime
import json
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
AGREE = 0.05
# PyTorch's variants that take longer than the fastest by this factor have two turns. A busy machine alone makes it 1.8.
SLOW = 2.0

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
# Those whose networks take their own time to classify: batches and optimizers make no difference.
CLASSIFYING = ["SGD", "SGD, sigmoid", "SGD, tanh", "SGD, one thread"]


class Failed(Exception):
    """A program ended with an error."""


class Program:
    """One program in one job: what its turns took."""

    def __init__(self, name, arguments, options):
        self.name = name
        self.arguments = arguments
        self.options = options if "--threads" in options else [*options, "--threads", str(arguments.threads)]
        # By variant: the fastest epoch and inference of each turn, in seconds.
        self.turns = {}

    def turn(self):
        for variant, epoch, inference in self.measure():
            self.turns.setdefault(variant, []).append((epoch, inference))

    def variant(self):
        return min(self.turns, key=lambda variant: min(self.turns[variant]))

    def epoch(self):
        return min(epoch for epoch, _ in self.turns[self.variant()])

    def inference(self):
        return min(inference for turns in self.turns.values() for _, inference in turns)

    def turned(self):
        """How often, in its fastest variant."""
        return len(self.turns[self.variant()]) if self.turns else 0

    def waits(self):
        """Whether it needs another turn."""
        return self.turned() < self.arguments.turns or self.difference() > AGREE

    def difference(self):
        """Between the two fastest turns."""
        fastest = sorted(epoch for epoch, _ in self.turns[self.variant()])
        return fastest[1] / fastest[0] - 1


class ByHand(Program):
    """An implementation of `compare bench`, with the dense floor of its turns."""

    floors = ()

    def measure(self):
        options = ["--train-size" if option == "--images" else option for option in self.options]
        command = [self.arguments.compare, "bench", "--json", "--quiet", "--rounds", "3", "--implementation", self.name]
        bench = json.loads(run([*command, *options]))["bench"]
        self.floors = [*self.floors, bench["dense_floor"]]
        for row in bench["measurements"]:
            yield self.name, row["epoch"]["minimum"], row["inference"]["minimum"]


class Peer(Program):
    """A script beside this one, whose first line says what it runs on."""

    version = None

    def measure(self):
        command = [sys.executable, HERE / f"{self.name}_peer.py", "--data", self.arguments.data, "--epochs", "4"]
        if len(self.turns) > 1 and self.turned() > 1:
            worth = [variant for variant, turns in self.turns.items() if min(turns)[0] < SLOW * self.epoch()]
            command += [word for variant in worth for word in ("--variant", variant)]
        self.version, *lines = run([*command, *self.options]).splitlines()
        for row in [json.loads(line) for line in lines if not line.startswith("#")]:
            yield row["variant"], min(row["epochs"]), min(row["inference"])


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    # Exit code 4 of compare: the machine is noisy, which is seen from the figures themselves.
    if done.returncode not in (0, 4):
        raise Failed(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def show(jobs):
    print("\n| an epoch | scratch | of the dense floor | Burn flex | NumPy | PyTorch | its variant | turns differ by |")
    print("|---|---|---|---|---|---|---|---|")
    for title, programs in jobs:
        scratch, *others = programs
        ratios = " | ".join(f"{other.epoch() / scratch.epoch():.2f}×" for other in others)
        floor, differ = scratch.epoch() / min(scratch.floors), max(program.difference() for program in programs)
        print(f"| {title} | {scratch.epoch():.3f} s | {floor:.2f} | {ratios} | {others[-1].variant()} | {differ:.0%} |")
    classifying = [job for job in jobs if job[0] in CLASSIFYING]
    if classifying:
        print("\n| 10,000 images | scratch | Burn flex | NumPy | PyTorch |\n|---|---|---|---|---|")
    for title, (scratch, *others) in classifying:
        ratios = " | ".join(f"{other.inference() / scratch.inference():.2f}×" for other in others)
        print(f"| {title} | {1e3 * scratch.inference():.1f} ms | {ratios} |")


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
    parser.add_argument("--turns", type=int, default=2, help="of each program, at least; at least two")
    parser.add_argument("--rounds", type=int, default=6, help="at most so many, and at least as many as turns")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", action="append", choices=[title for title, _ in JOBS], help="this job; may be repeated")
    arguments = parser.parse_args()
    if not 2 <= arguments.turns <= arguments.rounds:
        parser.error("--turns has to be at least two, and --rounds at least --turns")
    failure = None
    kinds = [(ByHand, "scratch"), (ByHand, "framework"), (Peer, "numpy"), (Peer, "pytorch")]
    jobs = [
        (title, [kind(name, arguments, options) for kind, name in kinds])
        for title, options in JOBS
        if not arguments.only or title in arguments.only
    ]
    try:
        for number in range(1, arguments.rounds + 1):
            waiting = [program for _, programs in jobs for program in programs if program.waits()]
            print(f"round {number}: {len(waiting)} programs", file=sys.stderr, flush=True)
            for program in waiting:
                program.turn()
    except (KeyboardInterrupt, Failed) as error:
        failure = str(error) or "interrupted"
        jobs = [(title, programs) for title, programs in jobs if all(program.turned() > 1 for program in programs)]
        if not jobs:
            sys.exit(f"{failure}\nnothing was measured twice by then")
    versions = [program.version.strip("# ") for program in jobs[0][1] if isinstance(program, Peer)]
    machine = f"{processor()}, {platform.system()} {platform.machine()}, {arguments.threads} threads"
    print(", ".join([str(datetime.date.today()), machine, *versions]))
    show(jobs)
    sys.exit(failure)


main()
