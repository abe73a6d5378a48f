//! What is tried first, at the end of each command's help.

pub(super) const MAIN: &str = "\
Examples:
    compare                                               the whole job
    compare --backend flex --backend wgpu --output run    on a graphics card too, with checkpoints and pictures
    compare --seeds 10 --optimizer sgd                    judged over ten seeds
    compare train --implementation scratch --save network.safetensors
    compare predict network.safetensors seven.png         which digit that is

Exit codes:
    0  agree, or done
    1  disagree, or an accuracy was not reached
    2  wrong usage
    3  environment or input: no device, no or broken data or parameters, output that cannot be written
    4  inconclusive, or degenerate: nothing was learned that could agree; the machine is too noisy for a bench
    5  a run failed: its loss is no longer finite
  130  interrupted";

pub(super) const CHECK: &str = "\
Examples:
    compare check --backend wgpu                          is this graphics card right?
    compare check --trace yours.safetensors --verbose     is your backpropagation? what it wrote is checked";

pub(super) const TRACE: &str = "\
Example:
    compare trace --output trace.safetensors --hidden 30 --activation tanh";

pub(super) const REPRODUCE: &str = "\
Examples:
    compare reproduce --seeds 5                           all of it: 9 minutes a seed on two cores
    compare reproduce --only table-4 --output tanh        one table
    compare reproduce --shard 1/4 --output share-1        a quarter of it, on one of four machines";

pub(super) const TRAIN: &str = "\
Examples:
    compare train --implementation scratch --optimizer momentum --nesterov --learning-rate 0.1 --schedule one-cycle \\
        --epochs 3 --save network.safetensors
    compare train --implementation framework --backend wgpu --output run --resume";

pub(super) const PREDICT: &str = "\
Example:
    compare predict network.safetensors seven.png photo.jpg --implementation scratch,framework";

pub(super) const EXPORT: &str = "\
Examples:
    compare export network.safetensors network.onnx
    compare export run/custom.scratch.checkpoint.safetensors network.safetensors";

pub(super) const BENCH: &str = "\
Examples:
    compare bench --batch-size 16,64,256 --optimizer adam
    compare bench --time-to 0.98
    compare bench --output cost                           how the cost grows, drawn";

pub(super) const DATA: &str = "\
Examples:
    compare data --data dir:my-digits                     are these files whole, and whose are they?
    compare data download fashion-mnist                   then: compare --data fashion-mnist";

pub(super) const CONFIG: &str = "\
Example:
    compare config train --implementation scratch --epochs 3 > recipe.toml
    compare train --config recipe.toml";
