//! Tests of downloads, against a local HTTP server that misbehaves on request.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;

/// Behaviour of the server on one connection.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Sends the requested range.
    Serve,
    /// Sends the whole file, whatever range is requested.
    IgnoreRange,
    /// Closes the connection after this many bytes.
    Cut(usize),
    /// Sends this many bytes, then nothing for three seconds.
    Stall(usize),
    /// Sends a byte every 50 milliseconds.
    Drip,
    /// Sends header lines without end.
    EndlessHeader,
    /// Sends the whole file in chunks, but never the last, empty chunk.
    Unterminated,
    /// Sends the file with its first byte changed.
    Corrupt,
    /// Sends 100 bytes more than the file has.
    TooLong,
    /// Answers 404 Not Found.
    Missing,
    /// Redirects to `/elsewhere/file` on the same server.
    Redirect,
}

/// A local HTTP server.
struct Server {
    url: String,
    /// The range that each request asked for, such as `500-`; empty for a request without a range.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server for one file. The i-th connection gets the i-th behaviour, later ones the last.
    fn new(bytes: Vec<u8>, behaviours: &'static [Behaviour]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let behaviour = behaviours[number.min(behaviours.len() - 1)];
                // The client may close the connection first; that is not an error of the server.
                answer(&stream.unwrap(), &bytes, behaviour, &log).unwrap_or_default();
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Answers one request, and logs its range.
fn answer(mut stream: &TcpStream, bytes: &[u8], behaviour: Behaviour, requests: &Mutex<Vec<String>>) -> io::Result<()> {
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
    requests.lock().unwrap().push(range);
    if matches!(behaviour, Behaviour::IgnoreRange) {
        from = 0;
    }
    let status = match behaviour {
        Behaviour::Missing => {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        Behaviour::EndlessHeader => return send_endless_header(stream),
        Behaviour::Unterminated => return send_unterminated(stream, bytes),
        Behaviour::Redirect => {
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
    match behaviour {
        Behaviour::Corrupt => body[0] ^= 1,
        Behaviour::TooLong => body.extend([7; 100]),
        _ => {}
    }
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    match behaviour {
        Behaviour::Cut(length) => stream.write_all(&body[..length]),
        Behaviour::Stall(length) => {
            stream.write_all(&body[..length])?;
            std::thread::sleep(Duration::from_secs(3));
            Ok(())
        }
        Behaviour::Drip => body.iter().try_for_each(|byte| {
            std::thread::sleep(Duration::from_millis(50));
            stream.write_all(&[*byte])
        }),
        _ => stream.write_all(&body),
    }
}

/// Sends header lines until the client closes the connection.
fn send_endless_header(mut stream: &TcpStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
    loop {
        stream.write_all(b"X-Header: value\r\n")?;
    }
}

/// Sends the whole file as one chunk, and then nothing for three seconds.
fn send_unterminated(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", bytes.len())?;
    stream.write_all(bytes)?;
    stream.write_all(b"\r\n")?;
    std::thread::sleep(Duration::from_secs(3));
    Ok(())
}

/// A published file of 200,000 bytes, and the folder to download it into.
struct Download {
    bytes: Vec<u8>,
    file: PublishedFile,
    folder: TempDir,
}

impl Download {
    fn new() -> Self {
        let bytes: Vec<u8> = (0..200_000_u32).map(|index| (index.wrapping_mul(index) / 7) as u8).collect();
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let file = PublishedFile { name: "file", length: bytes.len() as u64, sha256: digest.leak() };
        Self { bytes, file, folder: tempfile::tempdir().unwrap() }
    }

    /// Starts a server with this file.
    fn server(&self, behaviours: &'static [Behaviour]) -> Server {
        Server::new(self.bytes.clone(), behaviours)
    }

    /// Downloads the file from these servers, in this order of preference.
    fn fetch(&self, servers: &[&Server]) -> Result<(), String> {
        let urls: Vec<String> = servers.iter().map(|server| server.url.clone()).collect();
        let mirrors = Mirrors { urls: &urls, silence: Duration::from_secs(1) };
        mirrors.fetch(&self.file, self.folder.path(), &ProgressBar::hidden()).map_err(text)
    }

    /// Asserts that the folder contains the complete file and nothing else.
    fn assert_complete(&self) {
        assert!(fs::read(self.folder.path().join("file")).unwrap() == self.bytes);
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 1);
    }

    /// Returns the length of the partial file, and asserts that the complete file does not exist.
    fn partial(&self) -> Option<usize> {
        assert!(!self.folder.path().join("file").exists(), "an incomplete file must not have the final name");
        fs::read(self.folder.path().join("file.partial")).ok().map(|bytes| bytes.len())
    }
}

#[test]
fn download_stores_complete_file() {
    for behaviours in [&[Behaviour::Serve], &[Behaviour::IgnoreRange]] {
        let download = Download::new();
        download.fetch(&[&download.server(behaviours)]).unwrap();
        download.assert_complete();
    }
}

#[test]
fn download_follows_redirects() {
    let download = Download::new();
    download.fetch(&[&download.server(&[Behaviour::Redirect, Behaviour::Serve])]).unwrap();
    download.assert_complete();
    let download = Download::new();
    let error = download.fetch(&[&download.server(&[Behaviour::Redirect])]).unwrap_err();
    assert!(error.contains("redirect"), "{error}");
}

#[test]
fn interrupted_download_resumes_at_next_byte() {
    for behaviours in [&[Behaviour::Cut(70_000)], &[Behaviour::Stall(70_000)]] {
        let download = Download::new();
        let error = download.fetch(&[&download.server(behaviours)]).unwrap_err();
        assert!(error.contains("after 70000 of 200000 bytes"), "{error}");
        assert_eq!(download.partial(), Some(70_000));
        // The next attempt resumes.
        let server = download.server(&[Behaviour::Serve]);
        download.fetch(&[&server]).unwrap();
        assert_eq!(server.requests(), ["70000-"]);
        download.assert_complete();
    }
    // Within one attempt, the next mirror resumes what the previous one began.
    let download = Download::new();
    let server = download.server(&[Behaviour::Serve]);
    download
        .fetch(&[&download.server(&[Behaviour::Cut(1)]), &download.server(&[Behaviour::Missing]), &server])
        .unwrap();
    assert_eq!(server.requests(), ["1-"]);
    download.assert_complete();
}

#[test]
fn slow_server_is_given_up_for_next_mirror() {
    let download = Download::new();
    let slow = download.server(&[Behaviour::Drip]);
    let error = download.fetch(&[&slow]).unwrap_err();
    assert!(error.contains("bytes per second, less than 1000"), "{error}");
    let received = download.partial().unwrap();
    assert!((5..100).contains(&received), "{received}");
    let server = download.server(&[Behaviour::Serve]);
    download.fetch(&[&download.server(&[Behaviour::Drip]), &server]).unwrap();
    assert_ne!(server.requests(), [""], "the download resumes at the next mirror");
    download.assert_complete();
}

#[test]
fn endless_header_is_given_up_for_next_mirror() {
    let download = Download::new();
    let server = download.server(&[Behaviour::Serve]);
    download.fetch(&[&download.server(&[Behaviour::EndlessHeader]), &server]).unwrap();
    download.assert_complete();
}

#[test]
fn complete_file_is_accepted_from_connection_that_stays_open() {
    let download = Download::new();
    download.fetch(&[&download.server(&[Behaviour::Unterminated])]).unwrap();
    download.assert_complete();
}

#[test]
fn partial_file_must_be_regular() {
    let download = Download::new();
    let server = download.server(&[Behaviour::Serve]);
    let partial = download.folder.path().join("file.partial");
    fs::create_dir(&partial).unwrap();
    let error = download.fetch(&[&server]).unwrap_err();
    assert!(error.contains("file.partial") && error.contains("not a regular file"), "{error}");
    #[cfg(unix)]
    {
        fs::remove_dir(&partial).unwrap();
        let target = tempfile::NamedTempFile::new().unwrap();
        fs::write(&target, "keep").unwrap();
        for target in [target.path(), Path::new("/dev/zero")] {
            std::os::unix::fs::symlink(target, &partial).unwrap();
            assert!(download.fetch(&[&server]).unwrap_err().contains("not a regular file"));
            fs::remove_file(&partial).unwrap();
        }
        assert_eq!(fs::read(&target).unwrap(), b"keep");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn download_restarts_if_server_ignores_range() {
    let download = Download::new();
    download.fetch(&[&download.server(&[Behaviour::Cut(500), Behaviour::IgnoreRange])]).unwrap_err();
    download.fetch(&[&download.server(&[Behaviour::IgnoreRange])]).unwrap();
    download.assert_complete();
}

#[test]
fn download_rejects_and_removes_wrong_content() {
    for behaviours in [&[Behaviour::Corrupt], &[Behaviour::TooLong]] {
        let download = Download::new();
        let error = download.fetch(&[&download.server(behaviours)]).unwrap_err();
        assert!(error.contains("differs from the published file") && error.contains("--mirror"), "{error}");
        assert_eq!(download.partial(), None);
    }
}

#[test]
fn partial_file_with_wrong_content_is_discarded() {
    for length in [40, 200_000, 300_000] {
        let download = Download::new();
        fs::write(download.folder.path().join("file.partial"), vec![9; length]).unwrap();
        let server = download.server(&[Behaviour::Serve]);
        download.fetch(&[&server]).unwrap();
        assert_eq!(server.requests().last().unwrap(), "");
        download.assert_complete();
    }
}

#[test]
fn complete_partial_file_is_used_without_request() {
    let download = Download::new();
    fs::write(download.folder.path().join("file.partial"), &download.bytes).unwrap();
    let server = download.server(&[Behaviour::Missing]);
    download.fetch(&[&server]).unwrap();
    assert!(server.requests().is_empty());
    download.assert_complete();
}

#[test]
fn only_damaged_files_are_downloaded_again() {
    let download = Download::new();
    fs::write(download.folder.path().join("file"), [1, 2, 3]).unwrap();
    let server = download.server(&[Behaviour::Serve]);
    for _ in 0..2 {
        download.fetch(&[&server]).unwrap();
    }
    assert_eq!(server.requests().len(), 1);
    download.assert_complete();
}

#[test]
fn download_error_lists_failure_of_every_mirror() {
    let download = Download::new();
    let unreachable = Server { url: "http://127.0.0.1:1".to_owned(), requests: Arc::default() };
    let error = download.fetch(&[&unreachable, &download.server(&[Behaviour::Missing])]).unwrap_err();
    assert!(error.contains("127.0.0.1:1/file: ") && error.contains("404"), "{error}");
    // A folder that cannot be created: its parent is a file.
    let file = tempfile::NamedTempFile::new().unwrap();
    let urls = [unreachable.url];
    let mirrors = Mirrors { urls: &urls, silence: Duration::from_secs(1) };
    let below = file.path().join("below");
    assert!(mirrors.fetch(&download.file, &below, &ProgressBar::hidden()).unwrap_err().to_string().contains("below"));
}
