//! Options from a TOML file (`--config`), with one key for each long option of the command.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use mlp_parity::storage::read_text;
use toml::{Table, Value};

use crate::error::{Error, Result};

/// The option that names the TOML file.
const OPTION: &str = "--config";

/// Replaces `--config FILE` by the options in the file, and returns the resulting arguments. Options that are already
/// on the command line take precedence and are not added.
///
/// # Errors
///
/// - [`Error::Usage`] if `--config` is given twice, the file is not valid TOML, a key is not an option of the command,
///   or a value has a type that no option accepts.
/// - An I/O error if the file cannot be read.
pub(crate) fn expand(program: &Command, mut arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    // The arguments of the command `config` are another command with its options, which `effective` expands.
    if arguments.get(1).is_some_and(|command| command == "config") {
        return Ok(arguments);
    }
    let Some(path) = take_path(&mut arguments) else { return Ok(arguments) };
    if take_path(&mut arguments).is_some() {
        return Err(Error::Usage(format!("{OPTION} can be given only once")));
    }
    let text = read_text(&path)?;
    let usage_error = |reason: String| Error::Usage(format!("{}: {reason}", path.display()));
    let table: Table =
        text.parse().map_err(|error: toml::de::Error| usage_error(error.to_string().trim_end().to_owned()))?;
    let (command, position) = command_of(program, &arguments);
    let mut added = Vec::new();
    for (key, value) in &table {
        let mut options = command.get_arguments().filter(|option| option.get_long() != Some("config"));
        let option = options.find(|option| option.get_long() == Some(key));
        let option = option.ok_or_else(|| usage_error(unknown_option(key, command)))?;
        if !is_given(option, &arguments) {
            added.extend(to_arguments(option, key, value).map_err(usage_error)?);
        }
    }
    // Insert directly after the command: behind a `--` they would be positional arguments.
    arguments.splice(position..position, added);
    Ok(arguments)
}

/// Removes the first `--config FILE` or `--config=FILE` from the arguments, and returns the path.
fn take_path(arguments: &mut Vec<OsString>) -> Option<PathBuf> {
    let index = arguments.iter().position(|argument| {
        argument.to_str().is_some_and(|text| text == OPTION || text.starts_with(&format!("{OPTION}=")))
    })?;
    if arguments[index] != OPTION {
        let argument = arguments.remove(index);
        return argument.to_str()?.split_once('=').map(|(_, path)| path.into());
    }
    // A final `--config` without a path stays, so that clap reports the missing value.
    (index + 1 < arguments.len()).then(|| arguments.drain(index..=index + 1).next_back().unwrap_or_default().into())
}

/// Returns the command that the arguments select, and the index at which its options can be inserted.
fn command_of<'a>(program: &'a Command, arguments: &[OsString]) -> (&'a Command, usize) {
    let named = |(index, argument): (usize, &OsString)| Some((program.find_subcommand(argument)?, index + 1));
    arguments.iter().enumerate().skip(1).find_map(named).unwrap_or((program, 1.min(arguments.len())))
}

/// Returns true if the arguments contain `option`, by its long or short name.
fn is_given(option: &Arg, arguments: &[OsString]) -> bool {
    let matches_option = |text: &str| {
        let long = option.get_long().is_some_and(|long| {
            text.strip_prefix("--")
                .and_then(|text| text.strip_prefix(long))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        });
        long || option.get_short().is_some_and(|short| text == format!("-{short}"))
    };
    arguments.iter().filter_map(|argument| argument.to_str()).any(matches_option)
}

/// Converts a key and its TOML value to command-line arguments: a flag if `true`, `--key=value` otherwise. An array
/// repeats the option if it may be repeated; otherwise, it becomes a single comma-separated value.
fn to_arguments(option: &Arg, key: &str, value: &Value) -> Result<Vec<OsString>, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(_) | Value::Float(_) => Ok(value.to_string()),
        other => {
            Err(format!("'{key}' is a TOML {}; expected a string, a number, or an array of them", other.type_str()))
        }
    };
    let argument = |text: String| OsString::from(format!("--{key}={text}"));
    match (option.get_action(), value) {
        (ArgAction::SetTrue, Value::Boolean(true)) => Ok(vec![format!("--{key}").into()]),
        (ArgAction::SetTrue, Value::Boolean(false)) => Ok(Vec::new()),
        (ArgAction::SetTrue, other) => Err(format!("'{key}' is a TOML {}; expected true or false", other.type_str())),
        (ArgAction::Append, Value::Array(values)) => values.iter().map(|value| text(value).map(argument)).collect(),
        (_, Value::Array(values)) => {
            let texts = values.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            Ok(vec![argument(texts.join(","))])
        }
        (_, value) => Ok(vec![argument(text(value)?)]),
    }
}

/// Returns the error message for a key that is not an option of the command, with the most similar option if there is
/// one.
fn unknown_option(key: &str, command: &Command) -> String {
    let options = || command.get_arguments().filter_map(Arg::get_long);
    let similarity = |option: &&str| strsim::jaro_winkler(key, option);
    let nearest = options().max_by(|first, second| similarity(first).total_cmp(&similarity(second)));
    let name = command.get_name();
    let help = if name == "compare" { "compare --help".to_owned() } else { format!("compare {name} --help") };
    match nearest.filter(|option| similarity(option) > 0.8) {
        Some(option) => format!("unknown option '{key}'; did you mean '{option}'?"),
        None => format!("unknown option '{key}'; '{help}' lists the options"),
    }
}

/// Returns the effective options of the command that the arguments select, as a TOML file for `--config`. Options at
/// their default values are written as comments, because some options conflict with others if they are given at all.
/// Required options may be missing.
///
/// If the arguments are not valid for the command, prints the parser's error and ends the program.
///
/// # Errors
///
/// The same as [`expand`].
pub(crate) fn effective(program: Command, arguments: Vec<OsString>) -> Result<String> {
    let arguments = expand(&program, arguments)?;
    let (command, _) = command_of(&program, &arguments);
    let command = command.clone();
    let program = program.mut_subcommands(|command| command.mut_args(|argument| argument.required(false)));
    let matches = program.try_get_matches_from(arguments).unwrap_or_else(|error| error.exit());
    let matches = matches.subcommand().map_or(&matches, |(_, matches)| matches);
    let options = command.get_arguments().filter(|option| option.get_long().is_some_and(|long| long != "config"));
    Ok(options.filter_map(|option| toml_line(option, matches)).collect())
}

/// Returns the line `key = value` of one option, commented out unless the command line or the environment sets it;
/// `None` if the option has no long name.
fn toml_line(option: &Arg, matches: &ArgMatches) -> Option<String> {
    let (id, key) = (option.get_id().as_str(), option.get_long()?);
    let mut values: Vec<Value> =
        matches.get_raw(id).into_iter().flatten().map(|value| toml_value(&value.to_string_lossy())).collect();
    let value = match values.len() {
        _ if matches!(option.get_action(), ArgAction::SetTrue) => matches.get_flag(id).to_string(),
        0 => String::new(),
        1 => values.remove(0).to_string(),
        _ => Value::Array(values).to_string(),
    };
    if value.is_empty() {
        return Some(format!(
            "# {key} ={}\n",
            documented_default(option).map_or_else(String::new, |default| format!(" {default}"))
        ));
    }
    let is_set = matches!(matches.value_source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable));
    Some(format!("{}{key} = {value}\n", if is_set { "" } else { "# " }))
}

/// Returns the default that an option's help text states, as in `(default: 0.01)`. The help text is the only source
/// for options whose default is chosen after parsing.
fn documented_default(option: &Arg) -> Option<String> {
    let help = option.get_help()?.to_string();
    let (_, default) = help.rsplit_once("[default: ")?;
    Some(format!("({})", format_args!("default: {}", default.split_once(']')?.0)))
}

/// Parses a value as a TOML integer or float if possible; otherwise it is a string.
fn toml_value(text: &str) -> Value {
    let integer = text.parse().map(Value::Integer);
    integer.or_else(|_| text.parse().map(Value::Float)).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    fn expanded(toml: &str, arguments: &[&str]) -> Result<Vec<String>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, toml).unwrap();
        let mut all: Vec<OsString> = ["compare"].iter().chain(arguments).map(Into::into).collect();
        all.extend([OPTION.into(), file.path().into()]);
        let expanded = expand(&Cli::command(), all)?;
        Ok(expanded.into_iter().skip(1).map(|argument| argument.into_string().unwrap()).collect())
    }

    #[test]
    fn config_file_keys_become_options() {
        let toml = "learning-rate = 0.1\nnesterov = true\nquiet = false\nhidden = [30, 20]\nactivation = 'tanh'";
        let arguments = expanded(toml, &["train", "--seed", "1"]).unwrap();
        let (command, options) = arguments.split_first().unwrap();
        assert_eq!(command, "train");
        for option in ["--learning-rate=0.1", "--nesterov", "--hidden=30,20", "--activation=tanh", "--seed"] {
            assert!(options.iter().any(|argument| argument == option), "{option}: {options:?}");
        }
        assert_eq!(options.len(), 6);
        assert_eq!(expanded("backend = ['flex', 'wgpu']", &[]).unwrap(), ["--backend=flex", "--backend=wgpu"]);
        assert_eq!(
            expanded("batch-size = [16, 64]", &["bench"]).unwrap(),
            ["bench", "--batch-size=16", "--batch-size=64"]
        );
    }

    #[test]
    fn command_line_overrides_config_file() {
        let toml = "epochs = 3\nquiet = true\nseed = 4";
        let arguments = expanded(toml, &["train", "--epochs=1", "-q", "--seed", "5"]).unwrap();
        assert_eq!(arguments, ["train", "--epochs=1", "-q", "--seed", "5"]);
    }

    #[test]
    fn config_file_errors_name_key_and_remedy() {
        let error = |toml: &str| expanded(toml, &["train"]).unwrap_err().to_string();
        assert!(error("lerning-rate = 1").contains("unknown option 'lerning-rate'; did you mean 'learning-rate'"));
        assert!(error("colour = 'blue'").contains("unknown option 'colour'; 'compare train --help'"));
        assert!(error("quiet = 3").contains("'quiet' is a TOML integer; expected true or false"));
        assert!(error("seed = { is = 3 }").contains("'seed' is a TOML table"));
        assert!(error("seed = ").contains("line 1"));
        assert!(error("config = 'other.toml'").contains("unknown option 'config'"));
        assert!(expanded("colour = 1", &[]).unwrap_err().to_string().contains("'compare --help'"));
        assert!(expanded("", &["train", "--config", "other.toml"]).unwrap_err().to_string().contains("only once"));
        let missing = ["compare", "--config=nowhere.toml"].map(Into::into).to_vec();
        assert!(expand(&Cli::command(), missing).unwrap_err().to_string().contains("nowhere.toml"));
    }

    #[test]
    fn effective_options_parse_back_as_config_file() {
        let arguments = ["compare", "train", "--implementation", "scratch", "--hidden", "7", "--seed", "9"];
        let text = effective(Cli::command(), arguments.map(Into::into).to_vec()).unwrap();
        assert!(
            text.contains("\nseed = 9\n")
                && text.contains("\n# epochs = 15\n")
                && text.contains("\n# learning-rate = (default: 0.01)\n"),
            "{text}"
        );
        assert_eq!(
            expanded(&text, &["train"]).unwrap(),
            ["train", "--hidden=7", "--implementation=scratch", "--seed=9"]
        );
        // Defaults that conflict with a given option, and a missing required option.
        let text =
            effective(Cli::command(), ["compare", "bench", "--time-to", "0.98"].map(Into::into).to_vec()).unwrap();
        assert_eq!(expanded(&text, &["bench"]).unwrap(), ["bench", "--time-to=0.98"]);
        let text = effective(Cli::command(), ["compare", "train"].map(Into::into).to_vec()).unwrap();
        assert!(text.contains("# implementation =\n"), "{text}");
    }
}
