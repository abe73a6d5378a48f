//! The native part of the Python package `mlp-parity`: checks traces with the library `mlp-parity-compare`, so that Python and
//! the program `compare` give the same answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::{PyResult, Python};

/// Interval at which signals, such as Ctrl-C, are looked for.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// Functions for the modules of the package, which are written in Python.
#[pyo3::pymodule]
mod _native {
    use mlp_parity::SafetensorsFile;
    use mlp_parity_compare::check::Trace;
    use mlp_parity_compare::diagnosis;
    use pyo3::types::PyBytes;
    use pyo3::{Bound, PyResult, Python, pyfunction};

    use super::interruptible;

    /// Checks a trace in a safetensors, npz or JSON file with these contents, and explains results that disagree. Returns the
    /// document that `compare check --json` prints.
    ///
    /// Raises `ValueError` if the contents are not a trace, or an identifier in `accepted` is unknown.
    #[pyfunction]
    fn check(py: Python<'_>, trace: Vec<u8>, accepted: Vec<String>) -> PyResult<String> {
        interruptible(py, move || {
            let trace = Trace::read(&trace)?;
            let suite = diagnosis::check_trace(&trace, &[], &accepted).map_err(|error| error.to_string())?;
            suite.document().map_err(|error| error.to_string())
        })
    }

    /// Converts a trace in a safetensors, npz or JSON file with these contents to a safetensors file of the newest version.
    ///
    /// Raises `ValueError` if the contents are not a trace.
    #[pyfunction]
    fn to_safetensors(py: Python<'_>, trace: Vec<u8>) -> PyResult<Bound<'_, PyBytes>> {
        let bytes = interruptible(py, move || Trace::read(&trace)?.to_bytes().map_err(|error| error.to_string()))?;
        Ok(PyBytes::new(py, &bytes))
    }
}

/// Runs `work` in a thread of its own, so that Python can handle signals meanwhile. If a signal raises an exception, the work
/// goes on, but its result is not waited for.
fn interruptible<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> PyResult<T> {
    let (sender, mut receiver) = mpsc::channel();
    thread::spawn(move || {
        // The receiver is gone after an interrupt.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
    });
    loop {
        let (returned, received) = py.detach(move || {
            let received = receiver.recv_timeout(SIGNAL_INTERVAL);
            (receiver, received)
        });
        receiver = returned;
        match received {
            Ok(Ok(result)) => return result.map_err(PyValueError::new_err),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
                let message =
                    "the check failed with an internal error, which standard error describes; please report it";
                return Err(PyRuntimeError::new_err(message));
            }
        }
    }
}
