//! Panics, which are bugs of the program: their report on standard error, and their exit code.
//!
//! Not every panic ends the program. Burn and its GPU backends catch panics on their threads, for example that of a
//! lost device, and return an error instead. Therefore the hook only takes notes, and a panic is reported when it
//! reaches the main thread, as those of worker threads do.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use crate::output::print::eprint_line;

/// The exit code after a panic, that of an internal software error in `sysexits.h`.
const EXIT_CODE: u8 = 70;

/// Messages of panics for which Rust does not unwind but ends the process, with a signal. They begin when a value that
/// is dropped while the stack unwinds panics as well.
const NOT_UNWINDING: [&str; 2] = ["panic in a destructor during cleanup", "panic in a function that cannot unwind"];

/// The first and the last panic: what happened, and where. The first is the cause of later ones.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs the program, and returns its exit code. If it panics, reports the panic and returns [`EXIT_CODE`].
pub(crate) fn report(program: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::set_hook(Box::new(take_note));
    panic::catch_unwind(AssertUnwindSafe(program)).unwrap_or_else(|payload| {
        // Dropping a payload may panic again.
        std::mem::forget(payload);
        print_report();
        ExitCode::from(EXIT_CODE)
    })
}

/// Remembers a panic. Ends the process if the panic would not unwind.
fn take_note(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    let place = info
        .location()
        .map_or_else(|| "an unknown place".to_owned(), |place| format!("{}:{}", place.file(), place.line()));
    let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    panics.truncate(1);
    panics.push(format!("{message} ({place})"));
    drop(panics);
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        eprint_line(format_args!("{message} ({place})\n{backtrace}"));
    }
    if NOT_UNWINDING.contains(&message) {
        print_report();
        std::process::exit(EXIT_CODE.into());
    }
}

fn print_report() {
    let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner).join("; then: ");
    eprint_line(format_args!(
        "error: internal error: {panics}; this is a bug in compare: please report it, with this message and the command \
         line, in the issue tracker of the project mlp-parity"
    ));
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use super::*;

    /// The environment variable that makes a test panic as it says. It is set only in child processes.
    const KIND: &str = "MLP_PARITY_TEST_PANIC";

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("second");
        }
    }

    /// Panics if this process is a child that `run` has started; otherwise does nothing.
    #[test]
    fn panicking_program() {
        let Ok(kind) = std::env::var(KIND) else { return };
        let code = report(|| {
            match kind.as_str() {
                "main" => panic!("first \u{1b}[31m"),
                "scope" => std::thread::scope(|scope| {
                    scope.spawn(|| panic!("first"));
                }),
                "rayon" => rayon::join(|| panic!("first"), || ()).1,
                "drop" => {
                    let _guard = PanicsWhenDropped;
                    panic!("first");
                }
                "payload" => panic::panic_any(7),
                _ => drop(panic::catch_unwind(|| panic!("caught"))),
            }
            ExitCode::SUCCESS
        });
        // The test harness would exit with its own code.
        std::process::exit(if code == ExitCode::SUCCESS { 0 } else { i32::from(EXIT_CODE) });
    }

    /// Returns the exit code and standard error of a program that panics in the given way.
    fn run(kind: &str) -> (Option<i32>, String) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "panics::tests::panicking_program", "--nocapture"]);
        let Output { status, stderr, .. } = command.env(KIND, kind).env_remove("RUST_BACKTRACE").output().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap())
    }

    #[test]
    fn panic_is_reported_as_bug_with_its_place() {
        let (code, text) = run("main");
        assert_eq!((code, text.lines().count()), (Some(70), 1), "{text}");
        assert!(
            text.starts_with("error: internal error: first \\u001b[31m (") && text.contains("panics.rs:"),
            "{text}"
        );
        assert!(text.contains("this is a bug in compare") && text.contains("issue tracker"), "{text}");
    }

    #[test]
    fn panics_of_other_threads_and_destructors_have_same_exit_code() {
        for kind in ["scope", "rayon", "drop", "payload"] {
            let (code, text) = run(kind);
            let first = if kind == "payload" { "without a message" } else { "first" };
            assert_eq!((code, text.lines().count()), (Some(70), 1), "{kind}: {text}");
            assert!(text.contains(first), "{kind}: {text}");
        }
    }

    #[test]
    fn caught_panic_is_silent() {
        assert_eq!(run("caught"), (Some(0), String::new()));
    }
}
