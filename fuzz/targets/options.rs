//! Parses the fuzzer's input as a command line, one argument per line. If it parses, building the training
//! configurations, the network configuration and the images must succeed or return an error.
#![no_main]

#[allow(dead_code, reason = "only some of the program's items are used here")]
#[path = "../../compare/cli/src"]
mod program {
    pub(crate) mod args;
    pub(crate) mod error;
    pub(crate) mod input {
        pub(crate) mod source;
    }
}

use program::{args, error, input};

use std::cell::RefCell;
use std::ffi::OsStr;
use std::iter;
use std::os::unix::ffi::OsStrExt;

use args::values::{ADAM, SGD, load};
use args::{Cli, Command, DataOptions, NetworkOptions, TrainingOptions};
use clap::{CommandFactory, FromArgMatches};
use input::source::Source;
use libfuzzer_sys::fuzz_target;
use mlp_parity::mnist::DataSource;

thread_local! {
    /// Parser of the command line, built once. `Cli::try_parse_from` would build it again for every input, which takes
    /// longer than parsing.
    static PARSER: RefCell<clap::Command> = RefCell::new(Cli::command());
}

fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let arguments = lines.map(OsStr::from_bytes);
    let command_line = iter::once(OsStr::new("compare")).chain(arguments);
    let Ok(matches) = PARSER.with_borrow_mut(|parser| parser.try_get_matches_from_mut(command_line)) else { return };
    let Ok(cli) = Cli::from_arg_matches(&matches) else { return };
    match &cli.command {
        None => run(&cli.agree.network, &cli.agree.training, Some(&cli.agree.data)),
        Some(Command::Check(options)) => run(&options.network, &options.training, None),
        Some(Command::Trace(options)) => run(&options.network, &options.training, None),
        Some(Command::Train(options)) => run(&options.network, &options.training, Some(&options.data)),
        Some(_) => {}
    }
});

/// Builds the configurations that the options describe. The images are always the embedded ones, so no input makes the
/// target read other files.
fn run(network: &NetworkOptions, training: &TrainingOptions, data: Option<&DataOptions>) {
    let [train_size, test_size] = data.map_or([None; 2], |data| [data.train_size, data.test_size]);
    let Ok(images) = load(&Source::Contract(DataSource::Embedded), train_size, test_size) else { return };
    let _ = network.config(&images.train);
    let Ok(trainings) = training.trainings(&[SGD, ADAM]) else { return };
    for training in trainings {
        assert!(training.config.steps(images.train.len()) > 0);
    }
}
