//! Tests of `serve-device` and `--backend remote`, with server and client on this machine.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
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
        thread::spawn(move || lines.for_each(drop));
        let url = line.split_once(" at ").unwrap_or_else(|| panic!("{line}")).1.to_owned();
        Self { child, url }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.url.strip_prefix("ws://").unwrap()).unwrap()
    }

    /// Asserts that the server has never used more than 300 MB of memory, if the system records it.
    fn assert_memory_is_bounded(&self) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { return };
        let peak: u64 = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        assert!(peak < 300_000, "{peak} kB");
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
    let long = folder.path().join("long").to_str().unwrap().to_owned();
    std::fs::write(&long, "a".repeat(4097)).unwrap();
    assert_fails(
        &["serve-device", "--listen", "127.0.0.1:0", "--token-file", &long],
        3,
        &["the token has 4097 bytes; expected at most 4096"],
    );
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
        thread::sleep(Duration::from_millis(moment));
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

/// Time within which the server must have closed a connection without the token: twice its limit.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the request that opens a WebSocket at this path.
fn handshake(path: &str) -> Vec<u8> {
    let headers = "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
    format!("GET {path} HTTP/1.1\r\n{headers}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").into_bytes()
}

/// Returns the header of a binary WebSocket frame with a payload of `length` bytes.
fn frame_header(length: u64) -> Vec<u8> {
    [&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat()
}

/// Sends bytes, the last `slow` of them one by one, for 10 seconds if there are 100. Asserts that the server closes the
/// connection.
fn assert_disconnects(server: &Server, name: &str, bytes: &[u8], slow: usize) {
    let mut stream = server.connect();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (fast, slow) = bytes.split_at(bytes.len() - slow);
    // Sending fails once the server has closed the connection.
    let mut is_open = stream.write_all(fast).is_ok();
    for byte in slow {
        thread::sleep(PATIENCE / 100);
        is_open = is_open && stream.write_all(&[*byte]).is_ok();
    }
    assert!(slow.is_empty() || !is_open, "{name}");
    if let Err(error) = stream.read_to_end(&mut Vec::new()) {
        assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{name}: {error}");
    }
}

#[test]
fn server_disconnects_clients_without_token() {
    let folder = tempfile::tempdir().unwrap();
    let token = token(folder.path(), "a secret");
    let server = Server::new(&token);
    let head = handshake("/session");
    let gigabyte = frame_header(1 << 30);
    let header = [b"GET /session HTTP/1.1\r\nA: ".as_slice(), &[b'a'; 8000]].concat();
    let with_body = String::from_utf8(head.clone()).unwrap().replace("Host", "Content-Length: 99\r\nHost");
    let message = [head.as_slice(), &frame_header(100), &[0; 100]].concat();
    let attacks: &[(&str, &[u8], usize)] = &[
        ("silence", b"", 0),
        ("garbage", &[0xff; 5000], 0),
        ("an endless header", &header, 0),
        ("a slow header", &header[..200], 100),
        ("no message", &head, 0),
        ("a request with a body", with_body.as_bytes(), 0),
        ("a path without authorization", &handshake("/data"), 0),
        ("another path", &handshake("/"), 0),
        ("a request that is no handshake", &[b"GET /session HTTP/1.1\r\n\r\n".as_slice(), &gigabyte].concat(), 0),
        ("the header of a huge message", &[head.as_slice(), &gigabyte].concat(), 0),
        ("a huge message", &[head.as_slice(), &gigabyte, &vec![0; 50_000_000]].concat(), 0),
        ("a slow message", &message, 100),
        ("a wrong message", &message, 0),
        ("an incomplete message", &message[..message.len() - 50], 0),
    ];
    thread::scope(|scope| {
        for &(name, bytes, slow) in attacks {
            let server = &server;
            scope.spawn(move || assert_disconnects(server, name, bytes, slow));
        }
        // More silent connections than the server admits at the same time.
        for _ in 0..100 {
            scope.spawn(|| {
                let stream = server.connect();
                thread::sleep(PATIENCE / 3);
                drop(stream);
            });
        }
    });
    server.assert_memory_is_bounded();
    let trained = collect_output(train(&remote(&server, &token)).output().unwrap());
    assert_eq!(trained.code, Some(0), "{}", trained.err);
}

#[test]
fn server_trains_two_clients_at_once_and_survives_a_third_that_vanishes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let token = token(folder.path(), "a secret");
    let server = Server::new(&token);
    let spawn = |more: &[&str]| {
        let options = [&remote(&server, &token)[..], more].concat();
        train(&options).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (expected, first, second) = (path("expected"), path("first"), path("second"));
    let clients = [spawn(&["--save", &first]), spawn(&["--save", &second])];
    for moment in [200, 500, 800] {
        let mut vanishing = spawn(&[]);
        thread::sleep(Duration::from_millis(moment));
        vanishing.kill().unwrap();
        vanishing.wait().unwrap();
    }
    for client in clients {
        let CommandResult { code, err, .. } = collect_output(client.wait_with_output().unwrap());
        assert_eq!(code, Some(0), "{err}");
    }
    server.assert_memory_is_bounded();
    assert_eq!(collect_output(train(&["--save", &expected]).output().unwrap()).code, Some(0));
    let expected = std::fs::read(expected).unwrap();
    assert!(std::fs::read(first).unwrap() == expected && std::fs::read(second).unwrap() == expected);
}
