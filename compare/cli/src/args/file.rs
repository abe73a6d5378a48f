//! Options from a file: TOML, with a key for each long option of a command.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::{Table, Value};

use crate::error::{Error, Result};

/// The option that names the file.
const OPTION: &str = "--config";

/// The arguments with what the file of `--config` says, if they name one. What is said among them counts more.
///
/// # Errors
///
/// If the file cannot be read, is no TOML, or has a key that is no option of the command, or a value that no option has.
pub(crate) fn expand(program: &Command, mut arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    // What comes behind this command is for it to look at.
    if arguments.get(1).is_some_and(|command| command == "config") {
        return Ok(arguments);
    }
    let Some(path) = take_path(&mut arguments) else { return Ok(arguments) };
    if take_path(&mut arguments).is_some() {
        return Err(Error::Usage(format!("{OPTION} can be given once only")));
    }
    let text = std::fs::read_to_string(&path).map_err(mlp_parity::Error::io("read", &path))?;
    let refused = |reason: String| Error::Usage(format!("{}: {reason}", path.display()));
    let table: Table =
        text.parse().map_err(|error: toml::de::Error| refused(error.to_string().trim_end().to_owned()))?;
    let (command, after) = command_of(program, &arguments);
    let mut added = Vec::new();
    for (key, value) in &table {
        let mut options = command.get_arguments().filter(|option| option.get_long() != Some("config"));
        let option = options.find(|option| option.get_long() == Some(key));
        let option = option.ok_or_else(|| refused(unknown(key, command)))?;
        if !is_given(option, &arguments) {
            added.extend(as_arguments(option, key, value).map_err(refused)?);
        }
    }
    arguments.splice(after..after, added);
    Ok(arguments)
}

/// Takes `--config FILE` out of the arguments.
fn take_path(arguments: &mut Vec<OsString>) -> Option<PathBuf> {
    let index = arguments.iter().position(|argument| {
        argument.to_str().is_some_and(|text| text == OPTION || text.starts_with(&format!("{OPTION}=")))
    })?;
    if arguments[index] != OPTION {
        let argument = arguments.remove(index);
        return argument.to_str()?.split_once('=').map(|(_, path)| path.into());
    }
    // Without a file behind it, it stays: that is reported as for every other option.
    (index + 1 < arguments.len()).then(|| arguments.drain(index..=index + 1).next_back().unwrap_or_default().into())
}

/// The command among the arguments, and the place of its first option.
fn command_of<'a>(program: &'a Command, arguments: &[OsString]) -> (&'a Command, usize) {
    let named = |(index, argument): (usize, &OsString)| Some((program.find_subcommand(argument)?, index + 1));
    arguments.iter().enumerate().skip(1).find_map(named).unwrap_or((program, 1.min(arguments.len())))
}

fn is_given(option: &Arg, arguments: &[OsString]) -> bool {
    let is_option = |text: &str| {
        let long = option.get_long().is_some_and(|long| {
            text.strip_prefix("--")
                .and_then(|text| text.strip_prefix(long))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        });
        long || option.get_short().is_some_and(|short| text == format!("-{short}"))
    };
    arguments.iter().filter_map(|argument| argument.to_str()).any(is_option)
}

fn as_arguments(option: &Arg, key: &str, value: &Value) -> Result<Vec<OsString>, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(_) | Value::Float(_) => Ok(value.to_string()),
        other => Err(format!("{key} is a {}, which no option is", other.type_str())),
    };
    let with = |text: String| OsString::from(format!("--{key}={text}"));
    match (option.get_action(), value) {
        (ArgAction::SetTrue, Value::Boolean(true)) => Ok(vec![format!("--{key}").into()]),
        (ArgAction::SetTrue, Value::Boolean(false)) => Ok(Vec::new()),
        (ArgAction::SetTrue, _) => Err(format!("{key} is true or false")),
        (ArgAction::Append, Value::Array(values)) => values.iter().map(|value| text(value).map(with)).collect(),
        (_, Value::Array(values)) => Ok(vec![with(values.iter().map(text).collect::<Result<Vec<_>, _>>()?.join(","))]),
        (_, value) => Ok(vec![with(text(value)?)]),
    }
}

fn unknown(key: &str, command: &Command) -> String {
    let options = || command.get_arguments().filter_map(Arg::get_long);
    let near = |option: &&str| strsim::jaro_winkler(key, option);
    let nearest = options().max_by(|one, other| near(one).total_cmp(&near(other)));
    let name = command.get_name();
    let help = if name == "compare" { "compare --help".to_owned() } else { format!("compare {name} --help") };
    match nearest.filter(|option| near(option) > 0.8) {
        Some(option) => format!("there is no '{key}'; '{option}' is near"),
        None => format!("there is no '{key}'; '{help}' lists the options"),
    }
}

/// Every option of the command that these arguments call, as it counts, in a file for `--config`; defaults are comments, as
/// some options exclude others. Options that must be given may be missing.
///
/// # Errors
///
/// As [`expand`], and the parser's.
pub(crate) fn effective(program: Command, arguments: Vec<OsString>) -> Result<String> {
    let arguments = expand(&program, arguments)?;
    let (command, _) = command_of(&program, &arguments);
    let command = command.clone();
    let program = program.mut_subcommands(|command| command.mut_args(|argument| argument.required(false)));
    let matches = program.try_get_matches_from(arguments).unwrap_or_else(|error| error.exit());
    let matches = matches.subcommand().map_or(&matches, |(_, matches)| matches);
    let options = command.get_arguments().filter(|option| option.get_long().is_some_and(|long| long != "config"));
    Ok(options.filter_map(|option| line(option, matches)).collect())
}

/// `key = value`, as a comment where the user did not say it.
fn line(option: &Arg, matches: &ArgMatches) -> Option<String> {
    let (id, key) = (option.get_id().as_str(), option.get_long()?);
    let mut values: Vec<Value> =
        matches.get_raw(id).into_iter().flatten().map(|value| value_of(&value.to_string_lossy())).collect();
    let value = match values.len() {
        _ if matches!(option.get_action(), ArgAction::SetTrue) => matches.get_flag(id).to_string(),
        0 => String::new(),
        1 => values.remove(0).to_string(),
        _ => Value::Array(values).to_string(),
    };
    if value.is_empty() {
        return Some(format!(
            "# {key} ={}\n",
            default(option).map_or_else(String::new, |default| format!(" {default}"))
        ));
    }
    let is_said = matches!(matches.value_source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable));
    Some(format!("{}{key} = {value}\n", if is_said { "" } else { "# " }))
}

/// What an option's help says of what counts where nobody says anything: `(default: 0.01)`.
fn default(option: &Arg) -> Option<String> {
    let help = option.get_help()?.to_string();
    let (_, default) = help.rsplit_once("[default: ")?;
    Some(format!("({})", format_args!("default: {}", default.split_once(']')?.0)))
}

fn value_of(text: &str) -> Value {
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
    fn keys_become_options_of_the_command() {
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
    fn the_command_line_counts_more() {
        let toml = "epochs = 3\nquiet = true\nseed = 4";
        let arguments = expanded(toml, &["train", "--epochs=1", "-q", "--seed", "5"]).unwrap();
        assert_eq!(arguments, ["train", "--epochs=1", "-q", "--seed", "5"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_file() {
        let error = |toml: &str| expanded(toml, &["train"]).unwrap_err().to_string();
        assert!(error("lerning-rate = 1").contains("no 'lerning-rate'; 'learning-rate' is near"));
        assert!(error("colour = 'blue'").contains("no 'colour'; 'compare train --help'"));
        assert!(error("quiet = 3").contains("quiet is true or false"));
        assert!(error("seed = { is = 3 }").contains("seed is a table"));
        assert!(error("seed = ").contains("line 1"));
        assert!(error("config = 'other.toml'").contains("there is no 'config'"));
        assert!(expanded("colour = 1", &[]).unwrap_err().to_string().contains("'compare --help'"));
        assert!(expanded("", &["train", "--config", "other.toml"]).unwrap_err().to_string().contains("once only"));
        let missing = ["compare", "--config=nowhere.toml"].map(Into::into).to_vec();
        assert!(expand(&Cli::command(), missing).unwrap_err().to_string().contains("nowhere.toml"));
    }

    #[test]
    fn what_counts_is_read_back_as_it_is() {
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
        // Defaults that would exclude each other, and an option that must be given.
        let text =
            effective(Cli::command(), ["compare", "bench", "--time-to", "0.98"].map(Into::into).to_vec()).unwrap();
        assert_eq!(expanded(&text, &["bench"]).unwrap(), ["bench", "--time-to=0.98"]);
        let text = effective(Cli::command(), ["compare", "train"].map(Into::into).to_vec()).unwrap();
        assert!(text.contains("# implementation =\n"), "{text}");
    }
}
