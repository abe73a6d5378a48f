//! Tests of the documentation: the transcripts in README and in the pages below `docs/` show what the program prints.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::run::{collect_output, compare};

/// If this environment variable is set, the outputs are written into the pages instead of being compared with them.
const WRITE: &str = "MLP_PARITY_WRITE_TRANSCRIPTS";

/// Info string of a code block whose outputs must be exactly those of the program.
const EXACT: &str = "```console";

/// Info string of a code block whose numbers and whose names of tensors and implementations depend on the instruction set.
const VARIES: &str = "```console,varies";

/// The folders of the repository that the commands use.
const FOLDERS: [&str; 2] = ["compare", "examples"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the names of the pages of the book.
fn pages() -> Vec<String> {
    let entries = fs::read_dir(repository().join("docs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<String> = names.filter(|name| name.ends_with(".md") && name != "SUMMARY.md").collect();
    pages.sort();
    pages
}

/// A command in a code block, with the lines up to the next command.
struct Transcript {
    command: String,
    output: String,
    varies: bool,
}

/// Stands for an output in a page.
const PLACE: &str = "\0";

/// Splits a page into its transcripts, and a copy of the page in which [`PLACE`] takes the place of each output.
fn transcripts(page: &str) -> (Vec<Transcript>, String) {
    let (mut transcripts, mut frame): (Vec<Transcript>, _) = (Vec::new(), String::new());
    let (mut block, mut in_output) = (None, false);
    for line in page.lines() {
        let ends = block.is_some() && line == "```";
        match line.strip_prefix("$ ").filter(|_| block.is_some()) {
            Some(command) => {
                let varies = block == Some(VARIES);
                transcripts.push(Transcript { command: command.to_owned(), output: String::new(), varies });
                in_output = true;
                frame += &format!("{line}\n{PLACE}");
            }
            None if in_output && !ends => {
                let transcript = transcripts.last_mut().unwrap();
                transcript.output += &format!("{line}\n");
            }
            None => {
                in_output = false;
                frame += &format!("{line}\n");
            }
        }
        block = match block {
            None => [EXACT, VARIES].into_iter().find(|info| *info == line),
            Some(_) if ends => None,
            block => block,
        };
    }
    (transcripts, frame)
}

/// Runs a command of `compare` in a folder, on a terminal of 80 columns, and returns what it prints; `None` for other
/// programs, which other tests run.
fn output(command: &str, folder: &Path) -> Option<String> {
    let mut words = command.split_whitespace();
    words.next().filter(|program| *program == "compare")?;
    let arguments: Vec<&str> = words.collect();
    let result = collect_output(compare(&arguments).env("COLUMNS", "80").current_dir(folder).output().unwrap());
    Some(if result.out.is_empty() { result.err } else { result.out })
}

/// Returns the words of an output, with `#` in place of what depends on the instruction set.
fn constant_words(output: &str) -> Vec<&str> {
    let varies = |word: &str| {
        let is_name = word.ends_with(".weight") || word.ends_with(".bias") || word.starts_with("framework/");
        // The reason of the verdict names the training configuration that is closest to its limit.
        is_name
            || ["scratch", "sgd", "adam"].contains(&word)
            || word.contains(|character: char| character.is_ascii_digit())
    };
    let is_rule = |word: &str| word.chars().all(|character| character == '─');
    output.split_whitespace().map(|word| if varies(word) || is_rule(word) { "#" } else { word }).collect()
}

/// Returns a temporary folder with links to those of the repository that the commands use.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in FOLDERS {
        symlink(repository().join(name).canonicalize().unwrap(), folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn transcripts_show_what_the_program_prints() {
    let mut run = 0;
    for page in pages().iter().map(|page| format!("docs/{page}")).chain(["README.md".to_owned()]) {
        let path = repository().join(&page);
        let (transcripts, mut text) = transcripts(&fs::read_to_string(&path).unwrap());
        let folder = folder();
        for Transcript { command, output: expected, varies } in transcripts {
            let printed = output(&command, folder.path());
            run += usize::from(printed.is_some());
            let actual = printed.unwrap_or_else(|| expected.clone());
            text = text.replacen(PLACE, &actual, 1);
            let is_same =
                if varies { constant_words(&expected) == constant_words(&actual) } else { expected == actual };
            let hint = format!("to accept the output, set {WRITE}=1");
            let is_written = std::env::var_os(WRITE).is_some();
            assert!(is_same || is_written, "{page}: $ {command}\nexpected:\n{expected}\nactual:\n{actual}\n{hint}");
        }
        if std::env::var_os(WRITE).is_some() {
            fs::write(path, text).unwrap();
        }
    }
    assert!(run > 20, "{run} commands");
}

#[test]
fn summary_of_book_lists_every_page() {
    let summary = fs::read_to_string(repository().join("docs/SUMMARY.md")).unwrap();
    for page in pages() {
        assert!(summary.contains(&format!("]({page})")), "docs/SUMMARY.md does not list {page}");
    }
}

#[test]
fn constant_words_leave_out_what_depends_on_instruction_set() {
    let words = |ratio: &str| format!("gradients  32  layer2.weight  framework/flex  {ratio}  pass\n─────");
    assert_eq!(
        constant_words(&words("0.27")),
        constant_words(&words("0.3").replace("layer2.weight", "output_layer.bias"))
    );
    assert_ne!(constant_words(&words("0.27")), constant_words(&words("0.27").replace("pass", "FAIL")));
}
