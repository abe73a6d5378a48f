//! A small grid in a folder of its own.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::run::{Ran, run};

/// Three tables, two figures, and a slip.
pub(crate) const GRID: &str = include_str!("grid.toml");

const SMALL: [&str; 6] = ["--train-size", "640", "--test-size", "200", "--threads", "2"];

pub(crate) struct Study {
    pub(crate) folder: TempDir,
}

impl Study {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("grid.toml"), GRID).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn arguments<'a>(&self, training: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let seeds: &[&str] = if more.contains(&"--seeds") { &[] } else { &["--seeds", "3"] };
        [&["reproduce", "--grid", training, "--output", output], &SMALL[..], seeds, more].concat()
    }

    /// Runs the small grid into the folder of this name.
    pub(crate) fn reproduce(&self, name: &str, more: &[&str]) -> Ran {
        run(&self.arguments(&self.path("grid.toml"), &self.path(name), more))
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    /// Everything that is made from records, by its name.
    pub(crate) fn made(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let folder = self.folder.path().join(name);
        let mut files = BTreeMap::new();
        for sub in ["", "tables", "figures"] {
            for entry in std::fs::read_dir(folder.join(sub)).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                if entry.path().is_file() && name != "records.jsonl" {
                    files.insert(format!("{sub}/{name}"), std::fs::read(entry.path()).unwrap());
                }
            }
        }
        files
    }
}

pub(crate) fn ok(ran: Ran) -> Ran {
    assert_eq!(ran.code, Some(0), "{} {}", ran.out, ran.err);
    ran
}
