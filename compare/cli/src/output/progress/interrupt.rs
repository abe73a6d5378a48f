//! The handler of Ctrl-C.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::output::print::tell;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler of Ctrl-C: the first ends training after the current batch, the second ends the program.
pub(super) fn hear_interrupts() {
    let heard = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        tell("interrupted: ending after this batch, writing what is complete; once more to leave at once");
    });
    if let Err(error) = heard {
        tell(format_args!("warning: Ctrl-C will end the program at once: {error}"));
    }
}

/// Returns whether Ctrl-C was pressed.
pub(super) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Returns `Break` after Ctrl-C.
pub(super) fn flow() -> ControlFlow<()> {
    if is_interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
