//! Output of the program: terminal tables, plots, HTML pages, files for other programs, and progress.

#[cfg(feature = "full")]
mod csv_file;
pub(crate) mod escape;
pub(crate) mod export;
pub(crate) mod folder;
mod grouped;
pub(crate) mod html;
#[cfg(feature = "full")]
pub(crate) mod plots;
pub(crate) mod print;
pub(crate) mod progress;
#[cfg(feature = "full")]
pub(crate) mod publication;
pub(crate) mod terminal;
