//! Reader for MNIST and for other data sets in its format, which consist of four IDX files.

mod appearance;
mod collection;
#[cfg(feature = "embedded")]
mod embedded;
mod files;
mod folder;
pub mod idx;
mod labels;
mod sets;
mod source;

pub use collection::{Collection, PublishedFile};
pub use files::{CLASSES, FILES, ORIGINAL_DIGEST, ORIGINAL_SIZES, md5};
pub use sets::{LabelledImages, Mnist};
pub use source::DataSource;
