//! Options from a TOML file (`--config`), with one key for each long option of the command.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use mlp_parity::storage::read_text;
use toml::{Table, Value};

use super::parse;
use crate::error::{Error, Result};

/// The option that names the TOML file.
const CONFIG: &str = "config";

/// Adds the options in the file of `--config` to the arguments. Options that are already on the command line take
/// precedence and are not added.
///
/// # Errors
///
/// - [`Error::Usage`] if the file is not valid TOML, a key is not an option of the command, or a value has a type that
///   no option accepts.
/// - An I/O error if the file cannot be read.
pub(crate) fn expand(program: &Command, mut arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    // The file may supply options that are required, so the command line alone need not be valid. The parser reads it
    // up to the first error, which remains in the arguments and is reported when they are parsed again.
    let Ok(matches) = program.clone().ignore_errors(true).try_get_matches_from(&arguments) else {
        return Ok(arguments);
    };
    let (command, matches) = selected(program, &matches);
    let path = matches.try_get_one::<PathBuf>(CONFIG).ok().flatten();
    let Some(path) = path else { return Ok(arguments) };
    let text = read_text(path)?;
    let usage_error = |reason: String| Error::Usage(format!("{}: {reason}", path.display()));
    let table: Table =
        text.parse().map_err(|error: toml::de::Error| usage_error(error.to_string().trim_end().to_owned()))?;
    let mut added = Vec::new();
    for (key, value) in &table {
        let mut options = command.get_arguments().filter(|option| option.get_long() != Some(CONFIG));
        let option = options.find(|option| option.get_long() == Some(key));
        let option = option.ok_or_else(|| usage_error(unknown_option(key, command)))?;
        if matches.value_source(option.get_id().as_str()) != Some(ValueSource::CommandLine) {
            added.extend(to_arguments(option, key, value).map_err(usage_error)?);
        }
    }
    // At the end, so that errors in the user's own arguments are found first; but behind a `--`, options would be
    // positional arguments.
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    arguments.splice(end..end, added);
    Ok(arguments)
}

/// Returns the command that the arguments select, with its options.
fn selected<'a>(program: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    let command = matches.subcommand().and_then(|(name, matches)| Some((program.find_subcommand(name)?, matches)));
    command.unwrap_or((program, matches))
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
    let optional = program.clone().mut_subcommands(|command| command.mut_args(|argument| argument.required(false)));
    let matches = parse::matches(optional, &arguments);
    let (command, matches) = selected(&program, &matches);
    let options = command.get_arguments().filter(|option| option.get_long().is_some_and(|long| long != CONFIG));
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

#[cfg(feature = "full")]
#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    /// Returns the arguments with the options of a file that contains `toml`, without `--config` itself.
    fn expanded(toml: &str, arguments: &[&str]) -> Result<Vec<String>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, toml).unwrap();
        let config = format!("--config={}", file.path().display());
        // The option follows the name of the command, if there is one.
        let position = usize::from(arguments.first().is_some_and(|first| !first.starts_with('-')));
        let (command, options) = arguments.split_at(position);
        let expanded = expand(&Cli::command(), os(&[&["compare"], command, &[config.as_str()], options].concat()))?;
        let texts = expanded.into_iter().map(|argument| argument.into_string().unwrap());
        Ok(texts.skip(1).filter(|argument| *argument != config).collect())
    }

    fn os(arguments: &[&str]) -> Vec<OsString> {
        arguments.iter().map(Into::into).collect()
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
        for arguments in
            [&["train", "--epochs=1", "-q", "--seed", "5"][..], &["check", "--epochs", "1", "-vq", "--seed=5"]]
        {
            assert_eq!(expanded(toml, arguments).unwrap(), arguments);
        }
        // The value of another option is not an option.
        assert_eq!(expanded("seed = 4", &["--output=--seed"]).unwrap(), ["--output=--seed", "--seed=4"]);
        assert_eq!(
            expanded("seed = 4", &["predict", "a", "--", "--seed"]).unwrap_err().to_string().matches("'seed'").count(),
            1
        );
    }

    #[test]
    fn config_file_belongs_to_parsed_command() {
        // The names of commands as values of options.
        assert_eq!(expanded("verbose = true", &["--output", "train"]).unwrap(), ["--output", "train", "--verbose"]);
        assert_eq!(
            expanded("test-last = true", &["train", "--output", "check"]).unwrap().pop().unwrap(),
            "--test-last"
        );
        // After `--`, and as an argument of the command `config`, `--config` is not an option of the program.
        for arguments in [
            &["compare", "predict", "--", "--config", "nowhere"][..],
            &["compare", "config", "train", "--config", "nowhere"],
        ] {
            assert_eq!(expand(&Cli::command(), os(arguments)).unwrap(), os(arguments));
        }
        let behind = expanded("quiet = true", &["predict", "network", "--", "--picture"]).unwrap();
        assert_eq!(behind, ["predict", "network", "--quiet", "--", "--picture"]);
    }

    #[test]
    fn parser_reports_errors_in_arguments_beside_config_file() {
        let error = |arguments: &[&str]| {
            let expanded = expanded("epochs = 3", arguments).unwrap();
            Cli::command()
                .try_get_matches_from([vec!["compare".to_owned()], expanded].concat())
                .unwrap_err()
                .to_string()
        };
        assert!(error(&["check", "--epochs", "many"]).contains("expected a whole number"));
        assert!(error(&["check", "--seed=1", "--seed=2"]).contains("'--seed <N>' cannot be used multiple times"));
        for empty in [&["compare", "--config", ""][..], &["compare", "--config="], &["compare", "--config"]] {
            assert_eq!(expand(&Cli::command(), os(empty)).unwrap(), os(empty));
            assert!(Cli::command().try_get_matches_from(empty).unwrap_err().to_string().contains("--config <FILE>"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn config_file_may_have_any_name() {
        use std::os::unix::ffi::OsStringExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(OsString::from_vec(b"\xff.toml".to_vec()));
        std::fs::write(&path, "seed = 3").unwrap();
        let mut option = OsString::from("--config=");
        option.push(&path);
        let expanded = expand(&Cli::command(), vec!["compare".into(), option]).unwrap();
        assert_eq!(expanded.last().unwrap(), "--seed=3");
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
