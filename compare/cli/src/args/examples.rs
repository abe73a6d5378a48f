//! Examples and exit codes, printed at the end of the help texts.

/// The exit codes, at the end of the help text of the program.
macro_rules! exit_codes {
    () => {
        "\
Exit codes:
    0  success; for a comparison, the candidates agree
    1  the candidates disagree, or 'bench --time-to' missed the accuracy
    2  invalid usage
    3  problem with the environment or input: no device, missing or invalid file, unwritable output
    4  inconclusive; degenerate (a network learned nothing); or machine too noisy for 'bench'
    5  a training run diverged, or a network's outputs are not finite: NaN or infinity
   70  a bug in this program
  130  interrupted"
    };
}

/// The first line of the help text of the program.
#[cfg(feature = "full")]
pub(super) const ABOUT: &str =
    "Compares two implementations of one neural network: 'scratch' (by hand) and 'framework' (with Burn)";
#[cfg(not(feature = "full"))]
pub(super) const ABOUT: &str =
    "Checks the computations of a neural network, recorded in a trace, against a float64 reference";

/// The long help text of the program.
#[cfg(feature = "full")]
pub(super) const LONG_ABOUT: &str = "\
Compares two implementations of one neural network: 'scratch' (by hand) and 'framework' (with Burn)

Without a command, the program runs the full comparison:

  1. The check suite compares the logits, loss, gradients, parameter updates and training loop
     of each implementation with a float64 reference. Every difference must stay within a bound
     on the rounding error.
  2. If all checks pass, each implementation is trained with the two configurations of the
     published report that this project reproduces: 'sgd' (learning rate 0.01) and 'adam'
     (learning rate 0.01, weight decay 1e-4).
  3. The trained networks are compared by their predictions on the test images. Control replicas
     (copies of scratch whose initial parameters are perturbed by rounding-sized noise) show how
     far rounding errors alone drive trained networks apart; the implementations may differ by
     up to 3 times as much. With --seeds 2 or more, an equivalence test over the seeds replaces
     the control replicas; --seeds auto adds seeds until it decides.
  4. The check suite runs again from the state of each trained network, on the next batches.";
#[cfg(not(feature = "full"))]
pub(super) const LONG_ABOUT: &str = "\
Checks the computations of a neural network, recorded in a trace, against a float64 reference

This build is only the checker. The other commands, Burn and MNIST are part of a build with default features.";

#[cfg(feature = "full")]
pub(super) const MAIN: &str = concat!(
    "\
Examples:
    compare                                               full comparison on the CPU
    compare --backend flex --backend wgpu --output run    also on a GPU; write results to 'run'
    compare --seeds 10 --optimizer sgd                    test for equivalence over ten seeds
    compare train --implementation scratch --save network.safetensors
    compare predict network.safetensors seven.png         classify a picture of a digit

",
    exit_codes!()
);
#[cfg(not(feature = "full"))]
pub(super) const MAIN: &str = concat!(
    "\
Example:
    compare check --trace yours.safetensors               check the computations of your own program

",
    exit_codes!()
);

pub(super) const CHECK: &str = "\
Examples:
    compare check --backend wgpu                          check Burn on this graphics card
    compare check --trace yours.safetensors --verbose     check the computations of your own program
    compare check --from run/adam.scratch.checkpoint.safetensors    check from the state of a trained network";

pub(super) const TRACE: &str = "\
Example:
    compare trace --output trace.safetensors --hidden 30 --activation tanh";

pub(super) const REPRODUCE: &str = "\
Examples:
    compare reproduce --seeds 5                           the whole report (9 minutes per seed)
    compare reproduce --seeds auto                        as many seeds as decide whether each row agrees
    compare reproduce --only table-4 --output tanh        one table
    compare reproduce --shard 1/4 --output shard-1        the first of four shards";

pub(super) const TRAIN: &str = "\
Examples:
    compare train --implementation scratch --epochs 3 --optimizer momentum --nesterov \\
        --learning-rate 0.1 --schedule one-cycle --save network.safetensors
    compare train --implementation framework --backend wgpu --output run --resume";

pub(super) const EVALUATE: &str = "\
Examples:
    compare evaluate network.safetensors
    compare evaluate checkpoint.pth --activation auto --pixels mnist";

pub(super) const PREDICT: &str = "\
Example:
    compare predict network.safetensors seven.png photo.jpg --implementation scratch,framework";

pub(super) const EXPORT: &str = "\
Examples:
    compare export network.safetensors network.onnx
    compare export run/sgd.scratch.checkpoint.safetensors network.safetensors";

pub(super) const BENCH: &str = "\
Examples:
    compare bench --batch-size 16,64,256 --optimizer adam
    compare bench --time-to 0.98                          time to reach 98 % test accuracy
    compare bench --output cost                           plot how the cost of training scales";

pub(super) const DATA: &str = "\
Examples:
    compare data --data dir:my-digits                     show the images in the folder my-digits
    compare data --data mnist.npz                         show the images in an archive of NumPy arrays
    compare data download fashion-mnist                   then use it with --data fashion-mnist";

pub(super) const CONFIG: &str = "\
Example:
    compare config train --implementation scratch --epochs 3 > recipe.toml
    compare train --config recipe.toml";
