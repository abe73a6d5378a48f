//! A small report to reproduce, in a temporary folder, for tests of `compare reproduce` and `compare report`.

use std::collections::BTreeMap;
use std::process::Stdio;

use tempfile::TempDir;

use super::run::{CommandResult, compare, run};

/// A small grid (the description of a report to reproduce) with three tables and two figures. The tanh row states the
/// wrong derivative `tanh-as-printed` as a possible explanation of its values.
pub(crate) const GRID: &str = include_str!("grid.toml");

/// Options that make one reproduction of the grid take about a second.
const SMALL: [&str; 6] = ["--train-size", "640", "--test-size", "200", "--threads", "2"];

/// A temporary folder that contains the grid, `grid.toml`, and the output of its reproductions.
pub(crate) struct Study {
    pub(crate) folder: TempDir,
}

impl Study {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("grid.toml"), GRID).unwrap();
        Self { folder }
    }

    /// Returns the path of a file or folder in the temporary folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Returns the arguments of `compare reproduce`, with three seeds unless `more` contains `--seeds`.
    pub(crate) fn arguments<'a>(&self, grid: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let seeds: &[&str] = if more.contains(&"--seeds") { &[] } else { &["--seeds", "3"] };
        [&["reproduce", "--grid", grid, "--output", output], &SMALL[..], seeds, more].concat()
    }

    /// Reproduces the grid, with output to the subfolder of this name.
    pub(crate) fn reproduce(&self, name: &str, more: &[&str]) -> CommandResult {
        run(&self.arguments(&self.path("grid.toml"), &self.path(name), more))
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    /// Returns the contents of all files in a subfolder that are generated from its records, by name.
    pub(crate) fn generated_files(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let folder = self.folder.path().join(name);
        let mut files = BTreeMap::new();
        for sub in ["", "tables", "figures"] {
            for entry in std::fs::read_dir(folder.join(sub)).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                if entry.path().is_file() && ![".lock", "records.jsonl"].contains(&name.as_str()) {
                    files.insert(format!("{sub}/{name}"), std::fs::read(entry.path()).unwrap());
                }
            }
        }
        files
    }
}

/// Starts the program, and kills it as soon as the record file has this many lines, unless it has ended before.
pub(crate) fn kill_after(arguments: &[&str], records: &str, lines: usize) {
    let mut child = compare(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let line_count = || std::fs::read_to_string(records).map_or(0, |text| text.lines().count());
    while line_count() < lines && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Asserts that the program succeeded, and returns its result.
pub(crate) fn ok(result: CommandResult) -> CommandResult {
    assert_eq!(result.code, Some(0), "{} {}", result.out, result.err);
    result
}
