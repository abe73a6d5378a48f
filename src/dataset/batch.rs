//! Some images of a data set, as a network sees them.

use ndarray::{Array2, ArrayView2};

use crate::{Error, Result, Scalar};

/// Some images as the network sees them, with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<F> {
    images: Array2<F>,
    labels: Vec<usize>,
}

impl<F: Scalar> Batch<F> {
    /// Images, one a row, and their labels.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if there is no image or not one label for each, [`Error::NonFiniteInput`] if a value is NaN
    /// or infinite.
    pub fn new(images: Array2<F>, labels: Vec<usize>) -> Result<Self> {
        let rows = images.nrows();
        Error::check_shape("labels", &[rows.max(1)], &[labels.len()])?;
        check_finite(images.view())?;
        Ok(Self { images, labels })
    }

    /// Finite images and as many labels.
    pub(super) fn unchecked(images: Array2<F>, labels: Vec<usize>) -> Self {
        Self { images, labels }
    }

    /// `[images, inputs]`
    pub fn images(&self) -> ArrayView2<'_, F> {
        self.images.view()
    }

    /// The images alone, without a copy.
    pub fn into_images(self) -> Array2<F> {
        self.images
    }

    /// The class of each image.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never: a batch has at least one image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Checks that a network with these inputs and classes can take the batch.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the images are wider or narrower, [`Error::Data`] if a label is not below `classes`.
    pub fn check_fit(&self, inputs: usize, classes: usize) -> Result<()> {
        Error::check_shape("images", &[self.len(), inputs], self.images.shape())?;
        match self.labels.iter().enumerate().find(|&(_, &label)| label >= classes) {
            Some((index, label)) => {
                Err(Error::data("batch", format!("label {index} is {label}; the network has {classes} classes")))
            }
            None => Ok(()),
        }
    }

    /// The same batch in another precision, rounded to nearest.
    pub fn cast<G: Scalar>(&self) -> Batch<G> {
        Batch { images: self.images.map(|&value| G::from_f64(value.into())), labels: self.labels.clone() }
    }
}

/// `Ok` if no value is NaN or infinite.
///
/// # Errors
///
/// [`Error::NonFiniteInput`] with the first one.
pub fn check_finite<F: Scalar>(images: ArrayView2<'_, F>) -> Result<()> {
    match images.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((image, pixel), &value)) => {
            Err(Error::NonFiniteInput { what: "an image".to_owned(), index: vec![image, pixel], value: value.into() })
        }
        None => Ok(()),
    }
}
