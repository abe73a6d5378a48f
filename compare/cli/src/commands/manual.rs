//! `compare completions`, `compare man` and `compare config`: shell completion scripts, man pages, and effective
//! options.

use std::ffi::OsString;

use clap::CommandFactory;
use mlp_parity::storage::{ensure_writable_folder, write_atomically};

use crate::args::file;
use crate::args::{Cli, CompletionsOptions, ConfigOptions, ManOptions};
use crate::error::Result;
use crate::output::print::print;

/// Prints the completion script of a shell.
pub(crate) fn completions(options: &CompletionsOptions) -> Result<u8> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(options.shell, &mut command, name, &mut script);
    print(String::from_utf8_lossy(&script))?;
    Ok(0)
}

/// Writes one man page for the program and one for each command, named as in `compare.1` and `compare-train.1`.
pub(crate) fn man(options: &ManOptions) -> Result<u8> {
    ensure_writable_folder(&options.folder)?;
    let mut program = Cli::command();
    program.build();
    let commands: Vec<_> = program.get_subcommands().filter(|command| command.get_name() != "help").cloned().collect();
    for command in [program].into_iter().chain(commands) {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let path = options.folder.join(format!("{name}.1"));
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(command.disable_help_subcommand(true)).render(&mut page);
        rendered.map_err(mlp_parity::Error::io("write", &path))?;
        write_atomically(&path, &page)?;
    }
    Ok(0)
}

/// Prints the effective options of a command as a TOML file for `--config`.
pub(crate) fn config(options: &ConfigOptions) -> Result<u8> {
    let program = Cli::command();
    let name = OsString::from(program.get_name());
    print(file::effective(program, [name].into_iter().chain(options.arguments.iter().cloned()).collect())?)?;
    Ok(0)
}
