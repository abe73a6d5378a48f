//! Messages of graphics drivers on standard error.

use std::path::Path;

/// The environment variable whose absence graphics drivers report on standard error once for each device, although only
/// programs with windows need it.
const VARIABLE: &str = "XDG_RUNTIME_DIR";

/// Opens a device, without the messages of its driver that concern only windows. All other messages are printed once the device
/// is open.
pub(crate) fn without_window_messages<T>(open: impl FnOnce() -> T) -> T {
    // With the variable, there are no such messages.
    let is_set = std::env::var_os(VARIABLE).is_some_and(|folder| Path::new(&folder).is_dir());
    #[cfg(unix)]
    let _captured = if is_set { None } else { captured::StandardError::capture().ok() };
    #[cfg(not(unix))]
    let _ = is_set;
    open()
}

/// Returns the lines that do not concern windows.
fn without_window_lines(messages: &[u8]) -> Vec<u8> {
    let is_about_windows = |line: &&[u8]| String::from_utf8_lossy(line).contains(VARIABLE);
    messages.split_inclusive(|&byte| byte == b'\n').filter(|line| !is_about_windows(line)).flatten().copied().collect()
}

#[cfg(unix)]
mod captured {
    use std::fs::File;
    use std::io::{Read, Seek, Write};
    use std::os::fd::OwnedFd;

    use rustix::stdio::dup2_stderr;

    use super::without_window_lines;

    /// Standard error, which is written to a temporary file until this value is dropped.
    pub(super) struct StandardError {
        original: OwnedFd,
        file: File,
    }

    impl StandardError {
        pub(super) fn capture() -> std::io::Result<Self> {
            let original = rustix::io::dup(std::io::stderr())?;
            let file = tempfile::tempfile()?;
            dup2_stderr(&file)?;
            Ok(Self { original, file })
        }

        fn messages(&mut self) -> std::io::Result<Vec<u8>> {
            let mut messages = Vec::new();
            self.file.rewind()?;
            self.file.read_to_end(&mut messages)?;
            Ok(messages)
        }
    }

    /// Restores standard error, and prints what was written meanwhile. Also after a panic, whose message is part of it.
    impl Drop for StandardError {
        fn drop(&mut self) {
            if dup2_stderr(&self.original).is_err() {
                return;
            }
            let messages = self.messages().unwrap_or_default();
            std::io::stderr().write_all(&without_window_lines(&messages)).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without_window_lines;

    #[test]
    fn only_lines_about_windows_are_left_out() {
        let messages = b"error: XDG_RUNTIME_DIR is invalid or not set in the environment.\nno memory\n\xff\nend";
        assert_eq!(without_window_lines(messages), b"no memory\n\xff\nend");
    }
}
