//! Batches: the images and labels that a network processes together.

use ndarray::{Array2, ArrayView2};

use crate::{Error, Result, Scalar};

/// A non-empty batch of images, as the floating-point values that a network takes as input, with one label per image.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<F> {
    images: Array2<F>,
    labels: Vec<usize>,
}

impl<F: Scalar> Batch<F> {
    /// Creates a batch from `images`, `[images, inputs]`, and one label per image.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if there is no image or the number of labels differs from the number of images,
    /// [`Error::NonFiniteInput`] if a value is NaN or infinite.
    pub fn new(images: Array2<F>, labels: Vec<usize>) -> Result<Self> {
        // `max(1)` makes an empty batch fail too: it would need one label, but has none.
        Error::check_shape("labels", &[images.nrows().max(1)], &[labels.len()])?;
        check_finite(images.view())?;
        Ok(Self { images, labels })
    }

    /// Creates a batch without checks. The caller guarantees at least one image, one label per image, and finite
    /// values.
    pub(super) fn unchecked(images: Array2<F>, labels: Vec<usize>) -> Self {
        Self { images, labels }
    }

    /// Returns the images, `[images, inputs]`.
    pub fn images(&self) -> ArrayView2<'_, F> {
        self.images.view()
    }

    /// Consumes the batch and returns its images, `[images, inputs]`, without copying them.
    pub fn into_images(self) -> Array2<F> {
        self.images
    }

    /// Returns the label (class index) of each image.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Always returns `false`: a batch has at least one image. Rust types with [`len`](Self::len) conventionally have
    /// this method.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Checks that a network with `inputs` inputs and `classes` classes can process the batch.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the images do not have exactly `inputs` values, [`Error::Data`] if a label is not below
    /// `classes`.
    pub fn check_fit(&self, inputs: usize, classes: usize) -> Result<()> {
        Error::check_shape("images", &[self.len(), inputs], self.images.shape())?;
        match self.labels.iter().enumerate().find(|&(_, &label)| label >= classes) {
            Some((index, label)) => {
                let last = classes.saturating_sub(1);
                let reason = format!(
                    "label {label} of image {index} is out of range: the network has {classes} classes (0–{last})"
                );
                Err(Error::data("batch", reason))
            }
            None => Ok(()),
        }
    }

    /// Converts the images to another precision, rounding to nearest.
    pub fn cast<G: Scalar>(&self) -> Batch<G> {
        Batch { images: self.images.map(|&value| G::from_f64(value.into())), labels: self.labels.clone() }
    }
}

/// Checks that every value of `images`, `[images, inputs]`, is finite.
///
/// # Errors
///
/// [`Error::NonFiniteInput`] with the index of the first value that is NaN or infinite.
pub fn check_finite<F: Scalar>(images: ArrayView2<'_, F>) -> Result<()> {
    match images.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((image, pixel), &value)) => {
            Err(Error::NonFiniteInput { what: "an image".to_owned(), index: vec![image, pixel], value: value.into() })
        }
        None => Ok(()),
    }
}
