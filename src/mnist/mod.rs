//! Reader for MNIST and for other ten-class data sets in its format, which consist of four IDX files.

mod collection;
#[cfg(feature = "embedded")]
mod embedded;
mod files;
pub mod idx;
mod sets;
mod source;

pub use collection::{Collection, PublishedFile};
pub use files::{CLASSES, FILES, ORIGINAL_DIGEST, ORIGINAL_SIZES, md5};
pub use sets::Mnist;
pub use source::DataSource;
