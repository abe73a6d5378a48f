//! The command line of `compare`, for the targets that parse options. They must import `args`, `error`, `input` and `output`
//! at their root, where the program's sources expect these modules.
#![allow(dead_code, reason = "only some of the program's items are used")]

#[path = "../../compare/cli/src/args/mod.rs"]
pub(crate) mod args;
#[path = "../../compare/cli/src/error.rs"]
pub(crate) mod error;
#[path = "../../compare/cli/src/input"]
pub(crate) mod input {
    mod data;
    pub(crate) mod source;
}
#[path = "../../compare/cli/src/output"]
pub(crate) mod output {
    pub(crate) mod escape;
    pub(crate) mod print;
}

use std::cell::RefCell;
use std::ffi::OsString;

use args::values::{ADAM, SGD, load};
use args::{Cli, Command, DataOptions, NetworkOptions, TrainingOptions};
use clap::{CommandFactory, FromArgMatches};
use input::source::Source;
use mlp_parity::mnist::DataSource;

thread_local! {
    /// Parser of the command line, built once. `Cli::try_parse_from` would build it again for every input, which takes
    /// longer than parsing.
    static PARSER: RefCell<clap::Command> = RefCell::new(Cli::command());
}

/// Replaces `--config FILE` by the options in the file; `None` if that fails.
pub(crate) fn expand(arguments: Vec<OsString>) -> Option<Vec<OsString>> {
    PARSER.with_borrow(|parser| args::file::expand(parser, arguments)).ok()
}

/// Parses a command line. If it parses, builds the training configurations, the network configuration and the images,
/// which must succeed or return an error.
pub(crate) fn parse(arguments: Vec<OsString>) {
    let Ok(matches) = PARSER.with_borrow_mut(|parser| parser.try_get_matches_from_mut(arguments)) else { return };
    let Ok(cli) = Cli::from_arg_matches(&matches) else { return };
    match &cli.command {
        None => build(&cli.agree.network, &cli.agree.training, Some(&cli.agree.data)),
        Some(Command::Check(options)) => build(&options.network, &options.training, None),
        Some(Command::Trace(options)) => build(&options.network, &options.training, None),
        Some(Command::Train(options)) => build(&options.network, &options.training, Some(&options.data)),
        Some(_) => {}
    }
}

/// Builds the configurations that the options describe. The images are always the embedded ones, so no input makes the
/// target read other files.
fn build(network: &NetworkOptions, training: &TrainingOptions, data: Option<&DataOptions>) {
    let [train_size, test_size] = data.map_or([None; 2], |data| [data.train_size, data.test_size]);
    let Ok(images) = load(&Source::Contract(DataSource::Embedded), train_size, test_size) else { return };
    let _ = network.config(&images.train);
    let Ok(trainings) = training.trainings(&[SGD, ADAM]) else { return };
    for training in trainings {
        assert!(training.config.steps(images.train.len()) > 0);
    }
}
