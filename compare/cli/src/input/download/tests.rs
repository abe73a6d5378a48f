//! Downloads from a server on this machine that does what servers do.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;

/// What a server does.
#[derive(Clone, Copy)]
enum Does {
    /// Sends what was asked for.
    Serve,
    /// Sends everything, from whichever byte it was asked for.
    IgnoreRange,
    /// Closes the connection after so many bytes.
    Cut(usize),
    /// Sends so many bytes, and then nothing.
    Stall(usize),
    /// Sends other bytes.
    Corrupt,
    /// Does not end where the file does.
    More,
    /// Has no such file.
    Missing,
    /// Sends elsewhere: to the same name below this path, where it does what it is asked to.
    Redirect,
}

/// A server, and the ranges that it was asked for.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// The first connection gets the first of these, and those beyond the last get the last.
    fn new(bytes: Vec<u8>, does: &'static [Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let does = does[number.min(does.len() - 1)];
                // A client that went away is none of its business.
                answer(&stream.unwrap(), &bytes, does, &log).unwrap_or_default();
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: &TcpStream, bytes: &[u8], does: Does, asked: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut from = 0;
    let mut range = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line?.to_lowercase();
        if let Some(start) = line.strip_prefix("range: bytes=") {
            range = start.to_owned();
            from = start.trim_end_matches('-').parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    asked.lock().unwrap().push(range);
    if matches!(does, Does::IgnoreRange) {
        from = 0;
    }
    let status = match does {
        Does::Missing => {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        Does::Redirect => {
            return stream.write_all(
                b"HTTP/1.1 302 Found\r\nLocation: /elsewhere/file\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
        _ if from > 0 => {
            format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{}", bytes.len() - 1, bytes.len())
        }
        _ => "200 OK".to_owned(),
    };
    let mut body = bytes[from..].to_vec();
    match does {
        Does::Corrupt => body[0] ^= 1,
        Does::More => body.extend([7; 100]),
        _ => {}
    }
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    match does {
        Does::Cut(length) => stream.write_all(&body[..length]),
        Does::Stall(length) => {
            stream.write_all(&body[..length])?;
            std::thread::sleep(Duration::from_secs(3));
            Ok(())
        }
        _ => stream.write_all(&body),
    }
}

/// A file of 200,000 bytes, and where it is to be.
struct Wanted {
    bytes: Vec<u8>,
    file: Published,
    folder: TempDir,
}

impl Wanted {
    fn new() -> Self {
        let bytes: Vec<u8> = (0..200_000_u32).map(|index| (index * index / 7) as u8).collect();
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let file = Published { name: "file", length: bytes.len() as u64, sha256: digest.leak() };
        Self { bytes, file, folder: tempfile::tempdir().unwrap() }
    }

    fn server(&self, does: &'static [Does]) -> Server {
        Server::new(self.bytes.clone(), does)
    }

    fn fetch(&self, servers: &[&Server]) -> Result<(), String> {
        let urls: Vec<String> = servers.iter().map(|server| server.url.clone()).collect();
        let mirrors = Mirrors { urls: &urls, silence: Duration::from_secs(1) };
        mirrors.fetch(&self.file, self.folder.path(), &ProgressBar::hidden()).map_err(text)
    }

    /// The file is there, and nothing else.
    fn assert_here(&self) {
        assert!(fs::read(self.folder.path().join("file")).unwrap() == self.bytes);
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 1);
    }

    fn partial(&self) -> Option<usize> {
        assert!(!self.folder.path().join("file").exists(), "what is not complete has not its name");
        fs::read(self.folder.path().join("file.partial")).ok().map(|bytes| bytes.len())
    }
}

#[test]
fn a_file_comes_whole() {
    for does in [&[Does::Serve], &[Does::IgnoreRange]] {
        let wanted = Wanted::new();
        wanted.fetch(&[&wanted.server(does)]).unwrap();
        wanted.assert_here();
    }
}

#[test]
fn a_redirection_is_followed() {
    let wanted = Wanted::new();
    wanted.fetch(&[&wanted.server(&[Does::Redirect, Does::Serve])]).unwrap();
    wanted.assert_here();
    let wanted = Wanted::new();
    let error = wanted.fetch(&[&wanted.server(&[Does::Redirect])]).unwrap_err();
    assert!(error.contains("redirect"), "{error}");
}

#[test]
fn what_breaks_off_goes_on_from_the_byte_where_it_did() {
    for does in [&[Does::Cut(70_000)], &[Does::Stall(70_000)]] {
        let wanted = Wanted::new();
        let error = wanted.fetch(&[&wanted.server(does)]).unwrap_err();
        assert!(error.contains("after 70000 of 200000 bytes"), "{error}");
        assert_eq!(wanted.partial(), Some(70_000));
        // Another time, or at once from another mirror.
        let server = wanted.server(&[Does::Serve]);
        wanted.fetch(&[&server]).unwrap();
        assert_eq!(server.asked(), ["70000-"]);
        wanted.assert_here();
    }
    let wanted = Wanted::new();
    let server = wanted.server(&[Does::Serve]);
    wanted.fetch(&[&wanted.server(&[Does::Cut(1)]), &wanted.server(&[Does::Missing]), &server]).unwrap();
    assert_eq!(server.asked(), ["1-"]);
    wanted.assert_here();
}

#[test]
fn a_server_that_knows_no_ranges_begins_again() {
    let wanted = Wanted::new();
    wanted.fetch(&[&wanted.server(&[Does::Cut(500), Does::IgnoreRange])]).unwrap_err();
    wanted.fetch(&[&wanted.server(&[Does::IgnoreRange])]).unwrap();
    wanted.assert_here();
}

#[test]
fn other_bytes_are_refused_and_removed() {
    for does in [&[Does::Corrupt], &[Does::More]] {
        let wanted = Wanted::new();
        let error = wanted.fetch(&[&wanted.server(does)]).unwrap_err();
        assert!(error.contains("other bytes") && error.contains("--mirror"), "{error}");
        assert_eq!(wanted.partial(), None);
    }
}

#[test]
fn a_beginning_of_another_file_is_thrown_away() {
    for length in [40, 200_000, 300_000] {
        let wanted = Wanted::new();
        fs::write(wanted.folder.path().join("file.partial"), vec![9; length]).unwrap();
        let server = wanted.server(&[Does::Serve]);
        wanted.fetch(&[&server]).unwrap();
        assert_eq!(server.asked().last().unwrap(), "");
        wanted.assert_here();
    }
}

#[test]
fn a_complete_beginning_needs_no_server() {
    let wanted = Wanted::new();
    fs::write(wanted.folder.path().join("file.partial"), &wanted.bytes).unwrap();
    let server = wanted.server(&[Does::Missing]);
    wanted.fetch(&[&server]).unwrap();
    assert!(server.asked().is_empty());
    wanted.assert_here();
}

#[test]
fn what_is_there_is_not_fetched_again_and_what_is_damaged_is() {
    let wanted = Wanted::new();
    fs::write(wanted.folder.path().join("file"), [1, 2, 3]).unwrap();
    let server = wanted.server(&[Does::Serve]);
    for _ in 0..2 {
        wanted.fetch(&[&server]).unwrap();
    }
    assert_eq!(server.asked().len(), 1);
    wanted.assert_here();
}

#[test]
fn every_mirror_is_blamed_for_what_it_did() {
    let wanted = Wanted::new();
    let gone = Server { url: "http://127.0.0.1:1".to_owned(), asked: Arc::default() };
    let error = wanted.fetch(&[&gone, &wanted.server(&[Does::Missing])]).unwrap_err();
    assert!(error.contains("127.0.0.1:1/file: ") && error.contains("404"), "{error}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let urls = [gone.url];
    let mirrors = Mirrors { urls: &urls, silence: Duration::from_secs(1) };
    let below = file.path().join("below");
    assert!(mirrors.fetch(&wanted.file, &below, &ProgressBar::hidden()).unwrap_err().to_string().contains("below"));
}
