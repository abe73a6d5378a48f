//! Tests of `serve-device` and `--backend remote`, with server and client on this machine.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::run::{CommandResult, assert_fails, collect_output, compare};

/// A server process that is killed when this value is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn new(token_file: &str) -> Self {
        let mut command = compare(&["serve-device", "--listen", "127.0.0.1:0", "--token-file", token_file]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        // Keep reading, so that the server never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let url = line.split_once(" at ").unwrap_or_else(|| panic!("{line}")).1.to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Writes a file with an access token, and returns its path.
fn token(folder: &Path, text: &str) -> String {
    let path = folder.join(format!("token-{}", text.trim()));
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Arguments that train the framework implementation for a short time.
#[rustfmt::skip]
const TRAIN: [&str; 13] = [
    "train", "--implementation", "framework", "--train-size", "6000", "--test-size", "500", "--hidden", "60,30",
    "--optimizer", "adam", "--epochs", "3",
];

/// Returns the command of [`TRAIN`] with further arguments.
fn train(more: &[&str]) -> Command {
    compare(&[&TRAIN[..], more].concat())
}

/// Returns the options that make `compare` use the device of a server.
fn remote<'a>(server: &'a Server, token: &'a str) -> [&'a str; 6] {
    ["--backend", "remote", "--remote-url", &server.url, "--token-file", token]
}

#[test]
fn remote_device_trains_bit_identical_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let token = token(folder.path(), " a secret\n");
    let server = Server::new(&token);
    let (local, remote_file) = (path("local"), path("remote"));
    assert_eq!(collect_output(train(&["--save", &local]).output().unwrap()).code, Some(0));
    let trained =
        collect_output(train(&[&remote(&server, &token)[..], &["--save", &remote_file]].concat()).output().unwrap());
    assert_eq!(trained.code, Some(0), "{}", trained.err);
    assert!(trained.err.contains("framework/remote"), "{}", trained.err);
    assert!(std::fs::read(local).unwrap() == std::fs::read(remote_file).unwrap());
    let check = [&["check", "--hidden", "8"], &remote(&server, &token)[..]].concat();
    let check = collect_output(compare(&check).output().unwrap());
    assert!(check.code == Some(0) && check.out.contains("verdict: agree"), "{}{}", check.out, check.err);
}

#[test]
fn unreachable_server_and_wrong_token_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let correct = token(folder.path(), "correct");
    let wrong = token(folder.path(), "wrong");
    let empty = token(folder.path(), "\n");
    let server = Server::new(&correct);
    let with = |more: &[&'static str]| [&TRAIN[..], &["--backend", "remote"], more].concat();
    assert_fails(
        &[&TRAIN[..], &remote(&server, &wrong)].concat(),
        3,
        &[&server.url, "credential", "same token", "--token-file FILE"],
    );
    assert_fails(&[&TRAIN[..], &remote(&server, &empty)].concat(), 3, &["credential"]);
    assert_fails(&[&TRAIN[..], &remote(&server, "/nowhere/token")].concat(), 3, &["/nowhere/token"]);
    assert_fails(&with(&[]), 3, &["--remote-url URL"]);
    assert_fails(
        &with(&["--remote-url", "ws://127.0.0.1:1"]),
        3,
        &["ws://127.0.0.1:1", "cannot be reached", "serve-device"],
    );
    assert_fails(&["serve-device", "--token-file", &empty], 2, &["is empty"]);
    assert_fails(&["serve-device", "--token-file", "/nowhere/token"], 3, &["/nowhere/token"]);
    let used_address = server.url.strip_prefix("ws://").unwrap();
    assert_fails(&["serve-device", "--token-file", &correct, "--listen", used_address], 3, &[used_address, "in use"]);
}

#[test]
fn remote_training_resumes_after_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let token = token(folder.path(), "a secret");
    let expected = path("expected");
    assert_eq!(collect_output(train(&["--save", &expected]).output().unwrap()).code, Some(0));
    let output = path("run");
    for moment in [100, 350, 600, 850, 1100] {
        let server = Server::new(&token);
        let child = train(&[&remote(&server, &token)[..], &["--output", &output, "--resume"]].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(moment));
        drop(server);
        let CommandResult { code, err, .. } = collect_output(child.wait_with_output().unwrap());
        // The run may have finished before the server was killed.
        assert!(matches!(code, Some(0 | 3)) && !err.contains("internal error"), "{moment} ms: {code:?} {err}");
        assert_eq!(
            code == Some(3),
            err.contains("its server may be gone") || err.contains("cannot be reached"),
            "{err}"
        );
    }
    let server = Server::new(&token);
    let saved = path("saved");
    let options = [&remote(&server, &token)[..], &["--output", &output, "--resume", "--save", &saved]].concat();
    let resumed = collect_output(train(&options).output().unwrap());
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    assert!(std::fs::read(saved).unwrap() == std::fs::read(expected).unwrap());
}
