//! Self-contained HTML pages, without scripts and external resources.

mod checks;
#[cfg(feature = "full")]
mod digits;
mod document;
mod heat_map;
mod provenance;
mod raster;
mod report;
mod strip_plot;
mod table;
#[cfg(feature = "full")]
mod trained;
mod verdict;

#[cfg(feature = "full")]
pub(crate) use document::{STYLE, document, losses_plot};
pub(crate) use provenance::Provenance;
#[cfg(feature = "full")]
pub(crate) use report::write_outcome;
pub(crate) use report::write_suite;
#[cfg(feature = "full")]
pub(crate) use trained::Trained;
