#!/usr/bin/env bash
# The report on a Slurm cluster, in four shares:
#
#     sbatch examples/cluster/slurm.sh --seeds 5
#     compare report reproduction/share-* --output reproduction/whole        # when all four are done
#
# `--array=1-16` on sbatch's own command line makes sixteen. A task that is requeued goes on where it was.
#SBATCH --job-name=mlp-parity
#SBATCH --array=1-4
#SBATCH --cpus-per-task=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=reproduction-%a.log
set -euo pipefail

share=$SLURM_ARRAY_TASK_ID
exec compare reproduce --shard "$share/$SLURM_ARRAY_TASK_COUNT" --output "reproduction/share-$share" --resume \
    --threads "${SLURM_CPUS_PER_TASK:-1}" "$@"
