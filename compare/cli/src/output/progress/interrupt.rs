//! The handler of Ctrl-C, and of the signals SIGTERM and SIGHUP, which have the same effect.
//!
//! Outside training there is nothing to save, and every file is written atomically, so the first Ctrl-C ends the
//! program at once. During training the first one only requests that the runs stop after their current batch, and the
//! second one ends the program.

use std::io::Read;
use std::ops::ControlFlow;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mlp_parity_compare::Verdict;

use crate::error::verdict_exit_code;
use crate::output::print::{CONTINUE, eprint_line};

/// True once the user has pressed Ctrl-C.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// True while networks are trained whose results must be saved.
static TRAINING: AtomicBool = AtomicBool::new(false);

/// Number of running jobs that cannot be stopped early and have nothing to save.
static UNSTOPPABLE: AtomicUsize = AtomicUsize::new(0);

/// Child process of this program, which ends with it.
static CHILD: Mutex<Option<Child>> = Mutex::new(None);

/// Installs the handler. Must be called once, at the start of the program.
pub(crate) fn install_handler() {
    if let Err(error) = on_signal(interrupt) {
        eprint_line(format_args!("warning: cannot handle Ctrl-C, so it will end the program at once: {error}"));
    }
}

/// Calls `handler` for every signal, on a thread of its own. Signals that the parent process has chosen to ignore remain
/// ignored: `nohup` ignores SIGHUP, and shells ignore SIGINT for programs in the background of a script.
#[cfg(unix)]
fn on_signal(handler: fn()) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    // The thread is started first: without it, signals that are handled would have no effect.
    let (sender, receiver) = std::sync::mpsc::channel::<Signals>();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let signals = receiver.recv().into_iter();
        signals.for_each(|mut signals| signals.forever().for_each(|_| handler()));
    })?;
    let ignored = ignored_signals();
    let handled = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    sender.send(Signals::new(handled)?).map_err(std::io::Error::other)
}

#[cfg(not(unix))]
fn on_signal(handler: fn()) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(handler)
}

/// Returns the signals that this process ignores, one bit per signal; 0 if the operating system has no such file.
#[cfg(unix)]
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Stops the training runs after the first signal, and otherwise ends the program.
fn interrupt() {
    let is_first = !INTERRUPTED.swap(true, Ordering::SeqCst);
    let is_unstoppable = UNSTOPPABLE.load(Ordering::SeqCst) > 0;
    if is_first && TRAINING.load(Ordering::SeqCst) && !is_unstoppable {
        eprint_line("interrupted: stopping after this batch; press Ctrl-C again to quit at once");
        return;
    }
    if is_unstoppable {
        // Only a reproduction has such jobs. The records of those that have ended are in its folder.
        eprint_line(CONTINUE);
    }
    end_program();
}

/// Ends the program and its child process.
fn end_program() -> ! {
    if let Some(child) = child().as_mut() {
        // The child may have ended already.
        child.kill().unwrap_or_default();
    }
    eprint_line("interrupted");
    std::process::exit(verdict_exit_code(Verdict::Interrupted).into())
}

/// Declares whether networks are being trained, so that the first Ctrl-C only stops their runs.
pub(crate) fn set_training(is_training: bool) {
    TRAINING.store(is_training, Ordering::SeqCst);
}

/// Returns true once the user has pressed Ctrl-C.
pub(super) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Returns `Break`, which ends a training run, once the user has pressed Ctrl-C; `Continue` before.
pub(super) fn flow() -> ControlFlow<()> {
    if is_interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Marks a running job that cannot be stopped early, such as the check suite. While it exists, the first Ctrl-C ends
/// the program at once.
pub(super) struct UnstoppableJob;

impl UnstoppableJob {
    /// Marks the start of the job.
    pub(super) fn start() -> Self {
        UNSTOPPABLE.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for UnstoppableJob {
    fn drop(&mut self) {
        UNSTOPPABLE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs a command as a child process that Ctrl-C ends together with this program, and returns its status and standard
/// output.
///
/// # Errors
///
/// The error of the operating system if the process cannot be started, or its output cannot be read.
pub(crate) fn child_output(command: &mut Command) -> std::io::Result<Output> {
    let pipe = {
        // The handler waits for the lock, so it cannot miss a child that is just starting.
        let mut child = child();
        child.insert(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?).stdout.take()
    };
    let mut stdout = Vec::new();
    if let Some(mut pipe) = pipe {
        // The output ends with the process. Until then the handler can take the lock.
        pipe.read_to_end(&mut stdout)?;
    }
    let mut ended = child().take().ok_or(std::io::ErrorKind::NotFound)?;
    Ok(Output { status: ended.wait()?, stdout, stderr: Vec::new() })
}

fn child() -> MutexGuard<'static, Option<Child>> {
    CHILD.lock().unwrap_or_else(PoisonError::into_inner)
}
