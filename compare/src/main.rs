//! The program `compare`: see `cli` for what it takes, `command` for what it does.

mod cli;
mod command;
mod config;
#[cfg(feature = "download")]
mod download;
mod implementation;
mod junit;
mod onnx;
mod options;
mod picture;
mod plot;
mod progress;
mod publication;
mod report;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use mlp_parity_compare::Result;

use cli::{Cli, Command};
#[cfg(feature = "download")]
use cli::{DataCommand, ShowDataOptions};
use progress::tell;

/// glibc's allocator hands freed pages back at every step of training and asks for them again: half of Burn's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match config::expand(&Cli::command(), std::env::args_os().collect()) {
        Ok(arguments) => exit_code(run(&Cli::parse_from(arguments))),
        Err(error) => exit_code(Err(error)),
    }
}

fn run(cli: &Cli) -> Result<u8> {
    match &cli.command {
        None => command::agree::run(&cli.agree),
        Some(Command::Check(options)) => command::check::run(options),
        Some(Command::Trace(options)) => command::trace::run(options),
        Some(Command::Reproduce(options)) => command::reproduce::run(options),
        Some(Command::Report(options)) => command::report::run(options),
        Some(Command::Train(options)) => command::train::run(options),
        Some(Command::Evaluate(options)) => command::evaluate::run(options),
        Some(Command::Predict(options)) => command::predict::run(options),
        Some(Command::Export(options)) => command::export::run(options),
        Some(Command::Bench(options)) => command::bench::run(options),
        #[cfg(feature = "download")]
        Some(Command::Data(ShowDataOptions { command: Some(DataCommand::Download(options)), .. })) => {
            command::download::run(options)
        }
        Some(Command::Data(options)) => command::data::run(options),
        #[cfg(feature = "remote")]
        Some(Command::ServeDevice(options)) => command::serve_device::run(options),
        Some(Command::Doctor(options)) => command::doctor::run(options),
        Some(Command::Completions(options)) => command::manual::completions(options),
        Some(Command::Man(options)) => command::manual::man(options),
        Some(Command::Config(options)) => command::manual::config(options),
    }
}

fn exit_code(done: Result<u8>) -> ExitCode {
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tell(format_args!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
