"""Measures the training time of the same network by hand (compare bench), in Burn, in NumPy, in PyTorch and in JAX.

    pip install numpy torch jax
    python tests/golden/peers/side_by_side.py --data DIR [--turns 2] [--rounds 6] [--only TITLE]

DIR contains the four IDX files of MNIST. Every program gets the same number of threads. Other load on the machine can only
increase the time of an epoch, so the fastest epoch of the fastest variant counts. In each round, every program has a turn of a
few epochs in every job, until it had the requested number of turns and its two fastest turns differ by at most 5 %, or until
the last round. The last column of the table is the largest such difference of a job; more than 5 % means that the machine was
not idle in enough rounds. After Ctrl-C or the failure of a program, the results so far are printed.

NumPy, PyTorch and JAX start with the same weights and train on the same batches. It is a failure if they disagree on the mean
loss of the first epoch.
"""

import argparse
import datetime
import json
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Largest relative difference between the two fastest turns of a program.
AGREE = 0.05
# Variants of a peer that are slower than the fastest by this factor get no turns after the second. Load on the machine alone
# accounts for a factor of up to 1.8.
SLOW = 2.0
# Largest relative difference between two peers in the mean loss of the first epoch. Rounding errors account for 5e-6 with SGD,
# and for 2 % with Adam, which amplifies them.
SAME_LOSS = {"sgd": 1e-4, "adam": 0.05}

# Title of each job, and its options, which `compare bench` and the peers share.
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
# Jobs that are also compared in inference, which batch size and optimizer do not affect.
CLASSIFYING = ["SGD", "SGD, sigmoid", "SGD, tanh", "SGD, one thread"]


class Failed(Exception):
    """A program ended with an error; the message contains its output."""


class Program:
    """One program in one job, with the times of its turns."""

    def __init__(self, name, arguments, options):
        self.name = name
        self.arguments = arguments
        self.options = options if "--threads" in options else [*options, "--threads", str(arguments.threads)]
        # For each variant, the fastest epoch and the fastest inference of each turn, in seconds.
        self.turns = {}

    def turn(self):
        """Runs the program once and stores the times of its variants."""
        for variant, epoch, inference in self.measure():
            self.turns.setdefault(variant, []).append((epoch, inference))

    def variant(self):
        """Returns the variant with the fastest epoch."""
        return min(self.turns, key=lambda variant: min(self.turns[variant]))

    def epoch(self):
        """Returns the time of the fastest epoch, in seconds."""
        return min(epoch for epoch, _ in self.turns[self.variant()])

    def inference(self):
        """Returns the time of the fastest inference of any variant, in seconds."""
        return min(inference for turns in self.turns.values() for _, inference in turns)

    def turned(self):
        """Returns the number of turns of the fastest variant."""
        return len(self.turns[self.variant()]) if self.turns else 0

    def waits(self):
        """Returns True if the program needs another turn."""
        return self.turned() < self.arguments.turns or self.difference() > AGREE

    def difference(self):
        """Returns the relative difference between the two fastest turns."""
        fastest = sorted(epoch for epoch, _ in self.turns[self.variant()])
        return fastest[1] / fastest[0] - 1


class ByHand(Program):
    """An implementation that `compare bench` measures, which also reports the dense floor."""

    floors = ()

    def measure(self):
        options = ["--train-size" if option == "--images" else option for option in self.options]
        command = [self.arguments.compare, "bench", "--json", "--quiet", "--rounds", "3", "--implementation", self.name]
        bench = json.loads(run([*command, *options]))["bench"]
        self.floors = [*self.floors, bench["dense_floor"]]
        for row in bench["measurements"]:
            yield self.name, row["epoch"]["minimum"], row["inference"]["minimum"]


class Peer(Program):
    """A script beside this one. The first line of its output states the version of its library."""

    version = None

    def __init__(self, name, arguments, options):
        super().__init__(name, arguments, options)
        # For each variant, the mean loss of the first epoch.
        self.losses = {}

    def measure(self):
        command = [sys.executable, HERE / f"{self.name}_peer.py", "--data", self.arguments.data, "--epochs", "4"]
        if len(self.turns) > 1 and self.turned() > 1:
            promising = [variant for variant, turns in self.turns.items() if min(turns)[0] < SLOW * self.epoch()]
            command += [word for variant in promising for word in ("--variant", variant)]
        self.version, *lines = run([*command, *self.options]).splitlines()
        for row in [json.loads(line) for line in lines if not line.startswith("#")]:
            self.losses[row["variant"]] = row["losses"][0]
            yield row["variant"], min(row["epochs"]), min(row["inference"])


def run(command):
    """Runs a command and returns its output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    # `compare bench` exits with 4 if the machine is noisy. The last column of the table shows that as well.
    if done.returncode not in (0, 4):
        raise Failed(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def check_losses(title, programs):
    """Raises Failed if the peers disagree on the mean loss of the first epoch."""
    peers = [program for program in programs if isinstance(program, Peer)]
    losses = {f"{peer.name}, {variant}": loss for peer in peers for variant, loss in peer.losses.items()}
    expected, allowed = next(iter(losses.values())), SAME_LOSS["adam" if "adam" in peers[0].options else "sgd"]
    if not all(abs(loss / expected - 1) <= allowed for loss in losses.values()):
        raise Failed(f"{title}: the mean losses of the first epoch differ; allowed relative difference {allowed}: {losses}")


def show(jobs):
    """Prints the tables of training and inference times."""
    columns = "scratch | × dense floor | Burn flex | NumPy | PyTorch | JAX | variants of PyTorch, JAX | difference of turns"
    print(f"\n| epoch | {columns} |")
    print("|---|---|---|---|---|---|---|---|---|")
    for title, programs in jobs:
        scratch, *others = programs
        ratios = " | ".join(f"{other.epoch() / scratch.epoch():.2f}×" for other in others)
        floor, differ = scratch.epoch() / min(scratch.floors), max(program.difference() for program in programs)
        variants = ", ".join(other.variant() for other in others[-2:])
        print(f"| {title} | {scratch.epoch():.3f} s | {floor:.2f} | {ratios} | {variants} | {differ:.0%} |")
    classifying = [job for job in jobs if job[0] in CLASSIFYING]
    if classifying:
        print("\n| 10,000 images | scratch | Burn flex | NumPy | PyTorch | JAX |\n|---|---|---|---|---|---|")
    for title, (scratch, *others) in classifying:
        ratios = " | ".join(f"{other.inference() / scratch.inference():.2f}×" for other in others)
        print(f"| {title} | {1e3 * scratch.inference():.1f} ms | {ratios} |")


def processor():
    """Returns the name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with the four IDX files of MNIST")
    parser.add_argument("--compare", default=HERE.parents[2] / "target/release/compare", help="the program compare")
    parser.add_argument("--turns", type=int, default=2, help="minimum number of turns of each program, at least 2 [default: 2]")
    parser.add_argument("--rounds", type=int, default=6, help="maximum number of rounds, at least --turns [default: 6]")
    parser.add_argument("--threads", type=int, default=2, help="threads of every program [default: 2]")
    titles = [title for title, _ in JOBS]
    parser.add_argument("--only", action="append", choices=titles, help="run only this job; may be repeated")
    arguments = parser.parse_args()
    if not 2 <= arguments.turns <= arguments.rounds:
        parser.error("--turns must be at least 2, and --rounds at least --turns")
    failure = None
    kinds = [(ByHand, "scratch"), (ByHand, "framework"), (Peer, "numpy"), (Peer, "pytorch"), (Peer, "jax")]
    jobs = [
        (title, [kind(name, arguments, options) for kind, name in kinds])
        for title, options in JOBS
        if not arguments.only or title in arguments.only
    ]
    try:
        for number in range(1, arguments.rounds + 1):
            waiting = [program for _, programs in jobs for program in programs if program.waits()]
            print(f"round {number}: {len(waiting)} programs to run", file=sys.stderr, flush=True)
            for program in waiting:
                program.turn()
            for title, programs in jobs:
                check_losses(title, programs)
    except (KeyboardInterrupt, Failed) as error:
        failure = str(error) or "interrupted"
        jobs = [(title, programs) for title, programs in jobs if all(program.turned() > 1 for program in programs)]
        if not jobs:
            sys.exit(f"{failure}\nno job was measured twice, so there are no results")
    versions = [program.version.strip("# ") for program in jobs[0][1] if isinstance(program, Peer)]
    machine = f"{processor()}, {platform.system()} {platform.machine()}, {arguments.threads} threads"
    print(", ".join([str(datetime.date.today()), machine, *versions]))
    show(jobs)
    sys.exit(failure)


main()
