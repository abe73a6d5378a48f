//! The program `compare`. `args` defines its command line, and `commands` has one module for each command.

#![cfg_attr(
    not(feature = "full"),
    allow(dead_code, unused_imports, reason = "the checker uses only a part of the modules that all commands share")
)]

mod args;
mod commands;
mod error;
mod implementation;
mod input;
mod memory;
mod output;
mod panics;

use std::process::ExitCode;

use clap::CommandFactory;

use args::{Cli, Command};
#[cfg(feature = "download")]
use args::{DataCommand, ShowDataOptions};
use error::Result;
use output::print::eprint_error;

/// The global allocator. glibc's allocator returns freed pages to the system after every training step and requests
/// them again in the next one, which takes half of Burn's training time; mimalloc keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    panics::report(|| {
        output::progress::install_handler();
        // Options from a --config file become ordinary arguments, so that clap checks them like all others.
        match args::file::expand(&Cli::command(), std::env::args_os().collect()) {
            Ok(arguments) => exit_code(run(&args::parse(&arguments))),
            Err(error) => exit_code(Err(error)),
        }
    })
}

/// Runs the selected command, or the full comparison if no command is given, and returns its exit code.
fn run(cli: &Cli) -> Result<u8> {
    match &cli.command {
        #[cfg(feature = "full")]
        None => commands::agree::run(&cli.agree),
        #[cfg(not(feature = "full"))]
        None => Err(error::Error::Usage("no command is given".to_owned())),
        Some(Command::Check(options)) => commands::check::run(options),
        Some(Command::Trace(options)) => commands::trace::run(options),
        #[cfg(feature = "full")]
        Some(Command::Reproduce(options)) => commands::reproduce::run(options),
        #[cfg(feature = "full")]
        Some(Command::Report(options)) => commands::report::run(options),
        #[cfg(feature = "full")]
        Some(Command::Train(options)) => commands::train::run(options),
        #[cfg(feature = "full")]
        Some(Command::Evaluate(options)) => commands::evaluate::run(options),
        #[cfg(feature = "full")]
        Some(Command::Predict(options)) => commands::predict::run(options),
        #[cfg(feature = "full")]
        Some(Command::Export(options)) => commands::export::run(options),
        #[cfg(feature = "full")]
        Some(Command::Bench(options)) => commands::bench::run(options),
        #[cfg(feature = "download")]
        Some(Command::Data(ShowDataOptions { command: Some(DataCommand::Download(options)), .. })) => {
            commands::download::run(options)
        }
        #[cfg(feature = "full")]
        Some(Command::Data(options)) => commands::data::run(options),
        #[cfg(feature = "remote")]
        Some(Command::ServeDevice(options)) => commands::serve_device::run(options),
        Some(Command::Doctor(options)) => commands::doctor::run(options),
        Some(Command::Completions(options)) => commands::manual::completions(options),
        Some(Command::Man(options)) => commands::manual::man(options),
        Some(Command::Config(options)) => commands::manual::config(options),
    }
}

/// Converts the result of a command to an exit code, and prints an error on standard error.
fn exit_code(result: Result<u8>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprint_error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
