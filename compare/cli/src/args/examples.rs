//! Examples and exit codes, printed at the end of the help texts. Their lines fit a terminal of 80 columns.

/// The exit codes, at the end of the help text of the program.
macro_rules! exit_codes {
    () => {
        "\
Exit codes:
    0  success; for a comparison, the candidates agree
    1  the candidates disagree, or 'bench --time-to' missed the accuracy
    2  invalid usage
    3  problem with the environment or input: no device, missing or invalid
       file, unwritable output
    4  inconclusive; degenerate (a network learned nothing); or machine too
       noisy for 'bench'
    5  a training run diverged, or a network's outputs are not finite
   70  a bug in this program
  130  interrupted"
    };
}

/// The first line of the help text of the program.
#[cfg(feature = "full")]
pub(super) const ABOUT: &str = "Checks neural networks against a float64 reference, and compares implementations";
#[cfg(not(feature = "full"))]
pub(super) const ABOUT: &str = "Checks the computations of a neural network against a float64 reference";

/// The long help text of the program.
#[cfg(feature = "full")]
pub(super) const LONG_ABOUT: &str = "\
Checks neural networks against a float64 reference, and compares implementations

Without a command, the program compares two implementations of one network,
'scratch' (by hand) and 'framework' (with Burn):

  1. The check suite compares the logits, loss, gradients, parameter updates
     and training loop of each implementation with a float64 reference. Every
     difference must stay within a bound on the rounding error.
  2. If all checks pass, each implementation is trained with the two
     configurations of the report that this project reproduces: 'sgd' (learning
     rate 0.01) and 'adam' (learning rate 0.01, weight decay 1e-4).
  3. The trained networks are compared by their predictions on the test images.
     Control replicas (copies of scratch whose initial parameters are perturbed
     by rounding-sized noise) show how far rounding errors alone drive trained
     networks apart; the implementations may differ by up to 3 times as much.
     With several seeds, an equivalence test replaces the control replicas; it
     needs at least three, and --seeds auto adds seeds until it decides.
  4. The check suite runs again from the state of each trained network, on the
     next batches.";
#[cfg(not(feature = "full"))]
pub(super) const LONG_ABOUT: &str = "\
Checks the computations of a neural network against a float64 reference

This build is only the checker. The other commands, Burn and MNIST are part of a
build with default features.";

#[cfg(feature = "full")]
pub(super) const MAIN: &str = concat!(
    "\
Examples:
    # full comparison on the CPU
    compare
    # also on a graphics card; write the results to the folder 'run'
    compare --backend flex --backend wgpu --output run
    # test for equivalence over ten seeds
    compare --seeds 10 --optimizer sgd
    # find the mistake in a network of your own
    compare check --trace yours.npz
    # classify a picture of a digit
    compare train --implementation scratch --save network.safetensors
    compare predict network.safetensors seven.png

",
    exit_codes!()
);
#[cfg(not(feature = "full"))]
pub(super) const MAIN: &str = concat!(
    "\
Example:
    # find the mistake in a network of your own
    compare check --trace yours.npz

",
    exit_codes!()
);

pub(super) const CHECK: &str = concat!(
    "\
Examples:
    # check Burn on this graphics card
    compare check --backend wgpu
    # find the mistake in a network of your own
    compare check --trace yours.npz --verbose
    # check from the state of a trained network
    compare check --from run/adam.scratch.checkpoint.safetensors

",
    exit_codes!()
);

pub(super) const TRACE: &str = "\
Example:
    compare trace --output trace.safetensors --hidden 30 --activation tanh";

pub(super) const REPRODUCE: &str = "\
Examples:
    # the whole report (9 minutes per seed)
    compare reproduce --seeds 5
    # as many seeds as decide whether each row agrees
    compare reproduce --seeds auto
    # one table
    compare reproduce --only table-4 --output tanh
    # the first of four shards
    compare reproduce --shard 1/4 --output shard-1";

pub(super) const TRAIN: &str = "\
Examples:
    compare train --implementation scratch --epochs 3 --optimizer momentum \\
        --nesterov --learning-rate 0.1 --schedule one-cycle \\
        --save network.safetensors
    compare train --implementation framework --backend wgpu --output run \\
        --resume";

pub(super) const EVALUATE: &str = "\
Examples:
    compare evaluate network.safetensors
    compare evaluate checkpoint.pth --activation auto --pixels mnist";

pub(super) const PREDICT: &str = "\
Example:
    compare predict network.safetensors seven.png photo.jpg \\
        --implementation scratch,framework";

pub(super) const EXPORT: &str = "\
Examples:
    compare export network.safetensors network.onnx
    compare export run/sgd.scratch.checkpoint.safetensors network.safetensors";

pub(super) const BENCH: &str = "\
Examples:
    compare bench --batch-size 16,64,256 --optimizer adam
    # time to reach 98 % test accuracy
    compare bench --time-to 0.98
    # plot how the cost of training scales
    compare bench --output cost";

pub(super) const DATA: &str = "\
Examples:
    # show the images in the folder my-digits, or in an archive of NumPy arrays
    compare data --data dir:my-digits
    compare data --data mnist.npz
    # download a data set, and train on it
    compare data download fashion-mnist
    compare --data fashion-mnist";

pub(super) const CONFIG: &str = "\
Example:
    compare config train --implementation scratch --epochs 3 > recipe.toml
    compare train --config recipe.toml";
