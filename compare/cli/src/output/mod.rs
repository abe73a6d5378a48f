//! Output of the program: terminal tables, plots, report pages, files for other programs, and progress.

mod csv_file;
pub(crate) mod escape;
pub(crate) mod folder;
mod grouped;
pub(crate) mod junit;
pub(crate) mod onnx;
pub(crate) mod plots;
pub(crate) mod print;
pub(crate) mod progress;
pub(crate) mod publication;
pub(crate) mod terminal;
