#!/usr/bin/env bash
# Reproduces the report on a Slurm cluster, in four shards:
#
#     sbatch examples/cluster/slurm.sh --seeds 5
#     compare report reproduction/shard-* --output reproduction/merged       # when all four tasks are complete
#
# For sixteen shards, pass `--array=1-16` to sbatch, before the script. A requeued task resumes its shard.
#SBATCH --job-name=mlp-parity
#SBATCH --array=1-4
#SBATCH --cpus-per-task=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=reproduction-%a.log
set -euo pipefail

shard=$SLURM_ARRAY_TASK_ID
exec compare reproduce --shard "$shard/$SLURM_ARRAY_TASK_COUNT" --output "reproduction/shard-$shard" --resume \
    --threads "${SLURM_CPUS_PER_TASK:-1}" "$@"
