//! The Ctrl-C handler.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::output::print::eprint_line;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Installs the Ctrl-C handler. The first Ctrl-C ends training after the current batch, the second ends the program at
/// once with exit code 130.
pub(super) fn install_handler() {
    let installed = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprint_line(
            "interrupted: stopping after this batch and saving complete results; press Ctrl-C again to quit at once",
        );
    });
    if let Err(error) = installed {
        eprint_line(format_args!("warning: cannot handle Ctrl-C, so it will end the program at once: {error}"));
    }
}

/// Returns true once the user has pressed Ctrl-C.
pub(super) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Returns `Break`, which ends a training run, once the user has pressed Ctrl-C; `Continue` before.
pub(super) fn flow() -> ControlFlow<()> {
    if is_interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
