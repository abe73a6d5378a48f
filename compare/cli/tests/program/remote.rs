//! Devices that are served, on this machine.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::run::{Ran, compare, ran, refused};

/// A server that ends with its owner.
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
        // What it says later nobody reads; it must not wait for that.
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

fn token(folder: &Path, text: &str) -> String {
    let path = folder.join(format!("token-{}", text.trim()));
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[rustfmt::skip]
const TRAIN: [&str; 13] = [
    "train", "--implementation", "framework", "--train-size", "6000", "--test-size", "500", "--hidden", "60,30",
    "--optimizer", "adam", "--epochs", "3",
];

fn train(more: &[&str]) -> Command {
    compare(&[&TRAIN[..], more].concat())
}

fn remote<'a>(server: &'a Server, token: &'a str) -> [&'a str; 6] {
    ["--backend", "remote", "--remote-url", &server.url, "--token-file", token]
}

#[test]
fn a_served_device_computes_the_same_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let token = token(folder.path(), " a secret\n");
    let server = Server::new(&token);
    let (here, there) = (path("here"), path("there"));
    assert_eq!(ran(train(&["--save", &here]).output().unwrap()).code, Some(0));
    let far = ran(train(&[&remote(&server, &token)[..], &["--save", &there]].concat()).output().unwrap());
    assert_eq!(far.code, Some(0), "{}", far.err);
    assert!(far.err.contains("framework/remote"), "{}", far.err);
    assert!(std::fs::read(here).unwrap() == std::fs::read(there).unwrap());
    let check = [&["check", "--hidden", "8"], &remote(&server, &token)[..]].concat();
    let check = ran(compare(&check).output().unwrap());
    assert!(check.code == Some(0) && check.out.contains("verdict: agree"), "{}{}", check.out, check.err);
}

#[test]
fn who_has_no_server_or_not_its_token_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let right = token(folder.path(), "right");
    let wrong = token(folder.path(), "wrong");
    let empty = token(folder.path(), "\n");
    let server = Server::new(&right);
    let with = |more: &[&'static str]| [&TRAIN[..], &["--backend", "remote"], more].concat();
    refused(
        &[&TRAIN[..], &remote(&server, &wrong)].concat(),
        3,
        &[&server.url, "credential", "same token", "--token-file FILE"],
    );
    refused(&[&TRAIN[..], &remote(&server, &empty)].concat(), 3, &["credential"]);
    refused(&[&TRAIN[..], &remote(&server, "/nowhere/token")].concat(), 3, &["/nowhere/token"]);
    refused(&with(&[]), 3, &["--remote-url URL"]);
    refused(
        &with(&["--remote-url", "ws://127.0.0.1:1"]),
        3,
        &["ws://127.0.0.1:1", "cannot be reached", "serve-device"],
    );
    refused(&["serve-device", "--token-file", &empty], 2, &["has no token"]);
    refused(&["serve-device", "--token-file", "/nowhere/token"], 3, &["/nowhere/token"]);
    let taken = server.url.strip_prefix("ws://").unwrap();
    refused(&["serve-device", "--token-file", &right, "--listen", taken], 3, &[taken, "in use"]);
}

#[test]
fn a_killed_server_ends_a_run_that_can_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let token = token(folder.path(), "a secret");
    let expected = path("expected");
    assert_eq!(ran(train(&["--save", &expected]).output().unwrap()).code, Some(0));
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
        let Ran { code, err, .. } = ran(child.wait_with_output().unwrap());
        // It may have been done.
        assert!(matches!(code, Some(0 | 3)) && !err.contains("panicked"), "{moment} ms: {code:?} {err}");
        assert_eq!(
            code == Some(3),
            err.contains("its server may be gone") || err.contains("cannot be reached"),
            "{err}"
        );
    }
    let server = Server::new(&token);
    let saved = path("saved");
    let options = [&remote(&server, &token)[..], &["--output", &output, "--resume", "--save", &saved]].concat();
    let resumed = ran(train(&options).output().unwrap());
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    assert!(std::fs::read(saved).unwrap() == std::fs::read(expected).unwrap());
}
