//! MNIST, or any set of ten classes in its format: from the four IDX files, wherever they are.

mod collection;
#[cfg(feature = "embedded")]
mod embedded;
mod files;
pub mod idx;
mod sets;
mod source;

pub use collection::{Collection, Published};
pub use files::{CLASSES, FILES, ORIGINAL_DIGEST, ORIGINAL_SIZES, md5};
pub use sets::Mnist;
pub use source::DataSource;
