//! In-memory data sets of labelled grey-scale images, with the functions that scale, batch and shuffle them. Every
//! implementation gets its data through this module, so that all of them see identical values in an identical order.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, Zip};
use rand::seq::SliceRandom;
use rand_chacha::rand_core::Rng;

use super::batch::Batch;
use crate::hyperparameters::seed::{Purpose, generator};
use crate::{Error, MlpConfig, Result, Scalar};

/// A non-empty set of grey-scale images of equal size, each with a label below [`classes`](Self::classes). Clones and
/// parts of a data set share its pixels instead of copying them.
#[derive(Clone)]
pub struct Dataset {
    pixels: Arc<Vec<u8>>,
    labels: Arc<Vec<usize>>,
    shape: [usize; 2],
    classes: usize,
    /// The images that belong to this data set, as a range of those in `pixels` and `labels`.
    range: Range<usize>,
}

impl Dataset {
    /// Largest number of pixels that [`synthetic`](Self::synthetic) generates, one byte each: 1 GiB.
    const MAX_SYNTHETIC_PIXELS: usize = 1 << 30;

    /// Creates a data set from the pixels of all images, stored as `[images, rows, columns]` in row-major order, one
    /// label per image, the `shape` of an image, `[rows, columns]`, and the number of classes.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if there is no image or an image has no pixel, the number of pixels does not match the number of
    /// labels, there are fewer than two classes, or a label is not below `classes`.
    pub fn new(pixels: Vec<u8>, labels: Vec<usize>, shape: [usize; 2], classes: usize) -> Result<Self> {
        check_classes(classes)?;
        let invalid = |reason| Err(Error::data("data set", reason));
        // A size that overflows becomes 0 and is rejected below.
        let size = shape[0].checked_mul(shape[1]).unwrap_or(0);
        if labels.is_empty() || size == 0 {
            let images = labels.len();
            return invalid(format!(
                "{images} images of {shape:?} pixels; at least one image and one pixel are required"
            ));
        }
        if labels.len().checked_mul(size) != Some(pixels.len()) {
            let images = pixels.len() as f64 / size as f64;
            let labels = labels.len();
            return invalid(format!("the pixels make up {images} images, but there are {labels} labels"));
        }
        if let Some((index, label)) = labels.iter().enumerate().find(|&(_, &label)| label >= classes) {
            let last = classes - 1;
            return invalid(format!(
                "label {label} of image {index} is out of range: the data set has {classes} classes (0–{last})"
            ));
        }
        let range = 0..labels.len();
        Ok(Self { pixels: Arc::new(pixels), labels: Arc::new(labels), shape, classes, range })
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Always returns `false`: a data set has at least one image. Rust types with [`len`](Self::len) conventionally
    /// have this method.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Returns the shape of each image in pixels, `[rows, columns]`.
    pub fn image_shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Returns the number of pixels of an image, which is the number of inputs of a network for this data set.
    pub fn inputs(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// Returns the number of classes; all labels are below it. A part of a data set keeps the number of classes of the
    /// whole, even if some classes do not occur in the part.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the label (class index) of each image.
    pub fn labels(&self) -> &[usize] {
        &self.labels[self.range.clone()]
    }

    /// Returns the pixels of all images, stored as `[images, rows, columns]` in row-major order.
    pub(crate) fn pixels(&self) -> &[u8] {
        &self.pixels[self.range.start * self.inputs()..self.range.end * self.inputs()]
    }

    /// Returns the pixels of the image at `index`, row by row, from 0 (background) to 255.
    ///
    /// # Panics
    ///
    /// Panics if `index` is not below [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        assert!(index < self.len(), "image {index} is out of range: the data set has {} images", self.len());
        let start = (self.range.start + index) * self.inputs();
        &self.pixels[start..start + self.inputs()]
    }

    /// Generates `count` random images of the given shape with uniformly random labels, for tests and benchmarks that
    /// do not depend on the content of the images. About half of the pixels are background (0), the others uniform
    /// noise.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the images would take more than 1 GiB, there would be no image or no pixel, or there are
    /// fewer than two classes.
    pub fn synthetic(count: usize, shape: [usize; 2], classes: usize, seed: u64) -> Result<Self> {
        check_classes(classes)?;
        let mut generator = generator(seed, Purpose::Images);
        let size = shape[0].saturating_mul(shape[1]);
        let pixels = count.checked_mul(size).filter(|&pixels| pixels <= Self::MAX_SYNTHETIC_PIXELS);
        let Some(pixels) = pixels else {
            let reason = format!("{count} images of {shape:?} pixels would take more than 1 GiB of memory");
            return Err(Error::data("synthetic images", reason));
        };
        let labels = (0..count).map(|_| generator.next_u32() as usize % classes).collect();
        // One draw per pixel: its first byte decides between background and noise, its second byte is the noise.
        let pixels = (0..pixels).map(|_| generator.next_u32().to_le_bytes());
        let pixels = pixels.map(|[coin, value, ..]| if coin < 128 { 0 } else { value }).collect();
        Self::new(pixels, labels, shape, classes)
    }

    /// Generates `count` images of uniform noise from 1 to 255, without any background (0), and with the same labels as
    /// [`synthetic`](Self::synthetic) for the same seed.
    ///
    /// # Errors
    ///
    /// The same errors as [`synthetic`](Self::synthetic).
    pub fn noise(count: usize, shape: [usize; 2], classes: usize, seed: u64) -> Result<Self> {
        // Validates the arguments and provides the labels; its pixels are replaced.
        let images = Self::synthetic(count, shape, classes, seed)?;
        let mut generator = generator(seed, Purpose::Images);
        let pixels = images.pixels.iter().map(|_| (generator.next_u32() % 255 + 1) as u8).collect();
        Ok(Self { pixels: Arc::new(pixels), ..images })
    }

    /// Splits the data set into its first `count` images and the rest. MNIST's training images are in no particular
    /// order, so the rest can serve as a validation set.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if one of the two parts would be empty.
    pub fn split_at(&self, count: usize) -> Result<(Self, Self)> {
        if count == 0 || count >= self.len() {
            let reason = format!("cannot split {} images at {count}: both parts need at least one image", self.len());
            return Err(Error::data("data set", reason));
        }
        let middle = self.range.start + count;
        let part = |range| Self { range, ..self.clone() };
        Ok((part(self.range.start..middle), part(middle..self.range.end)))
    }

    /// Returns a data set of the first `count` images.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if `count` is 0 or larger than the number of images.
    pub fn take(&self, count: usize) -> Result<Self> {
        if count == 0 || count > self.len() {
            let reason = format!("cannot take {count} images; the number must be between 1 and {}", self.len());
            return Err(Error::data("data set", reason));
        }
        Ok(Self { range: self.range.start..self.range.start + count, ..self.clone() })
    }

    /// Checks that a network of the given configuration can process the images and labels.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the number of pixels of an image differs from the number of inputs of the network, or a label
    /// is not below the network's number of classes.
    pub fn check_fit(&self, config: &MlpConfig) -> Result<()> {
        let (pixels, inputs, classes) = (self.inputs(), config.inputs(), config.classes());
        if pixels != inputs {
            let reason = format!("{pixels} pixels per image, but the network ({config}) has {inputs} inputs");
            return Err(Error::data("data set", reason));
        }
        match self.labels().iter().enumerate().find(|&(_, &label)| label >= classes) {
            Some((index, label)) => {
                let last = classes - 1;
                let reason = format!(
                    "label {label} of image {index} is out of range: \
                     the network ({config}) has {classes} classes (0–{last})"
                );
                Err(Error::data("data set", reason))
            }
            None => Ok(()),
        }
    }

    /// Scales a pixel to the input value that every network receives: exactly `f32::from(pixel) / 255.0`, from 0 to 1.
    /// In double precision the value is this `f32`, converted. Multiplying by 1/255 instead would give another result
    /// for 126 of the 256 pixel values.
    pub const fn scale_pixel(pixel: u8) -> f32 {
        pixel as f32 / 255.0
    }

    /// Returns the images at `indices`, in this order, as a batch of [scaled](Self::scale_pixel) values.
    ///
    /// # Panics
    ///
    /// Panics if `indices` is empty, or an index is not below [`len`](Self::len).
    pub fn batch<F: Scalar>(&self, indices: &[usize]) -> Batch<F> {
        assert!(!indices.is_empty(), "a batch must contain at least one image");
        let mut images = Array2::zeros([indices.len(), self.inputs()]);
        for (row, &index) in images.rows_mut().into_iter().zip(indices) {
            Zip::from(row).and(self.image(index)).for_each(|value, &pixel| *value = Self::scale_pixel(pixel).into());
        }
        let labels = indices.iter().map(|&index| self.labels()[index]).collect();
        Batch::unchecked(images, labels)
    }

    /// Returns the order in which epoch number `epoch` (counted from 1) visits `images` images: a Fisher–Yates shuffle
    /// that depends only on the seed, the epoch and the number of images.
    pub fn epoch_order(seed: u64, epoch: usize, images: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..images).collect();
        order.shuffle(&mut generator(seed, Purpose::Epoch(epoch)));
        order
    }
}

/// Writes only the shape, classes and range of the data set; the pixels and labels may be many.
impl fmt::Debug for Dataset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, classes, range, .. } = self;
        let mut fields = formatter.debug_struct("Dataset");
        fields.field("shape", shape).field("classes", classes).field("range", range).finish_non_exhaustive()
    }
}

/// Checks that there are at least two classes.
fn check_classes(classes: usize) -> Result<()> {
    if classes >= 2 {
        return Ok(());
    }
    Err(Error::data("data set", format!("{classes} classes; a classifier needs at least two")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(count: usize) -> Dataset {
        let pixels = (0..count * 6).map(|pixel| (pixel * 37 % 256) as u8).collect();
        Dataset::new(pixels, (0..count).map(|label| label % 10).collect(), [2, 3], 10).unwrap()
    }

    #[test]
    fn scale_pixel_divides_by_255_exactly() {
        let every_value = Dataset::new((0..=255).collect(), vec![0; 256], [1, 1], 2).unwrap();
        let indices: Vec<usize> = (0..256).collect();
        let single = every_value.batch::<f32>(&indices);
        let double = every_value.batch::<f64>(&indices);
        for value in 0..256 {
            let expected = value as f32 / 255.0;
            assert_eq!(single.images()[[value, 0]].to_bits(), expected.to_bits());
            assert_eq!(double.images()[[value, 0]], f64::from(expected));
        }
    }

    #[test]
    fn batch_follows_order_of_indices() {
        let batch = dataset(12).batch::<f32>(&[11, 3]);
        assert_eq!(batch.labels(), [1, 3]);
        assert_eq!(batch.images()[[1, 0]], f32::from((18 * 37 % 256) as u8) / 255.0);
    }

    #[test]
    fn split_at_and_take_select_images() {
        let (first, rest) = dataset(12).split_at(5).unwrap();
        assert_eq!((first.len(), rest.len()), (5, 7));
        assert_eq!(rest.image(0), dataset(12).image(5));
        assert_eq!(rest.labels()[0], 5);
        assert_eq!(rest.take(2).unwrap().labels(), [5, 6]);
        assert!(dataset(3).split_at(3).is_err() && dataset(3).split_at(0).is_err());
        assert!(dataset(3).take(4).is_err() && dataset(3).take(0).is_err());
        assert_eq!(dataset(3).take(3).unwrap().len(), 3);
    }

    #[test]
    fn dataset_debug_output_omits_pixels() {
        let data = dataset(12);
        let batch = data.batch::<f32>(&[11, 3]);
        assert_eq!((data.is_empty(), batch.is_empty(), batch.len()), (false, false, 2));
        assert_eq!(format!("{data:?}"), "Dataset { shape: [2, 3], classes: 10, range: 0..12, .. }");
    }

    #[test]
    fn epoch_order_is_permutation_determined_by_seed_and_epoch() {
        let order = Dataset::epoch_order(3, 1, 1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000));
        assert_eq!(order, Dataset::epoch_order(3, 1, 1000));
        assert_ne!(order, Dataset::epoch_order(3, 2, 1000));
        assert_ne!(order, Dataset::epoch_order(4, 1, 1000));
    }

    #[test]
    fn synthetic_images_depend_on_seed_only() {
        let data = Dataset::synthetic(40, [5, 7], 10, 3).unwrap();
        assert_eq!((data.len(), data.image_shape()), (40, [5, 7]));
        let pixels = |data: &Dataset| (0..data.len()).flat_map(|image| data.image(image).to_vec()).collect::<Vec<u8>>();
        assert_eq!(pixels(&data), pixels(&Dataset::synthetic(40, [5, 7], 10, 3).unwrap()));
        assert_ne!(pixels(&data), pixels(&Dataset::synthetic(40, [5, 7], 10, 4).unwrap()));
        let background = pixels(&data).iter().filter(|&&pixel| pixel == 0).count();
        assert!((500..900).contains(&background), "{background} of 1400");
        assert!(
            Dataset::synthetic(0, [5, 7], 10, 0).is_err() && Dataset::synthetic(usize::MAX, [5, 7], 10, 0).is_err()
        );
    }

    /// The values were recorded when the generator was written. If they change, stored records can no longer be
    /// reproduced.
    #[test]
    fn dataset_random_streams_are_pinned() {
        assert_eq!(Dataset::epoch_order(1, 2, 10), [0, 6, 8, 5, 2, 3, 7, 9, 1, 4]);
        let data = Dataset::synthetic(40, [5, 7], 10, 3).unwrap();
        assert_eq!(data.labels()[..10], [7, 3, 6, 9, 4, 9, 5, 8, 0, 1]);
        assert_eq!(crate::mnist::md5(&data.pixels), "3e15ff2dba95f3fdee3699f68cd60519");
    }

    #[test]
    fn dataset_requires_at_least_two_classes() {
        for classes in [2, 3, 300, 1 << 20] {
            let data = Dataset::new(vec![0; 2], vec![0, classes - 1], [1, 1], classes).unwrap();
            assert_eq!((data.classes(), data.labels()), (classes, &[0, classes - 1][..]));
            assert_eq!(data.batch::<f32>(&[1]).labels(), [classes - 1]);
            assert!(Dataset::new(vec![0; 2], vec![0, classes], [1, 1], classes).is_err());
        }
        for classes in [0, 1] {
            for result in [
                Dataset::new(vec![0; 2], vec![0, 0], [1, 1], classes),
                Dataset::synthetic(2, [1, 1], classes, 0),
                Dataset::noise(2, [1, 1], classes, 0),
            ] {
                let message = result.unwrap_err().to_string();
                assert_eq!(message, format!("data set: {classes} classes; a classifier needs at least two"));
            }
        }
    }

    #[test]
    fn dataset_parts_keep_number_of_classes() {
        let data = Dataset::new(vec![0; 4], vec![0, 1, 0, 6], [1, 1], 7).unwrap();
        let (first, rest) = data.split_at(2).unwrap();
        assert_eq!([first.classes(), rest.classes(), data.take(1).unwrap().classes()], [7; 3]);
    }

    #[test]
    fn synthetic_labels_are_draws_modulo_classes() {
        let labels = |classes| Dataset::synthetic(200, [5, 7], classes, 3).unwrap().labels().to_vec();
        assert_eq!(labels(5), labels(10).into_iter().map(|label| label % 5).collect::<Vec<_>>());
        assert_eq!(Dataset::noise(200, [5, 7], 5, 3).unwrap().labels(), labels(5));
        assert!(labels(3).into_iter().eq(labels(9).into_iter().map(|label| label % 3)));
        assert_eq!(labels(300).into_iter().max(), Some(299), "every class can be drawn");
    }

    #[test]
    fn dataset_check_fit_rejects_label_out_of_range() {
        let data = Dataset::new(vec![0; 2], vec![1, 3], [1, 1], 10).unwrap();
        let network = |inputs, classes| MlpConfig::new(inputs, &[], classes, crate::Activation::Relu).unwrap();
        assert!(data.check_fit(&network(1, 4)).is_ok());
        let message = |config| data.check_fit(&config).unwrap_err().to_string();
        let reason = "data set: label 3 of image 1 is out of range: the network (1-3, relu) has 3 classes (0–2)";
        assert_eq!(message(network(1, 3)), reason);
        assert!(message(network(2, 10)).contains("1 pixels per image"));
    }

    #[test]
    fn dataset_and_batch_reject_invalid_data() {
        let message = |pixels, labels| Dataset::new(pixels, labels, [2, 1], 10).unwrap_err().to_string();
        assert!(message(vec![0; 4], vec![0; 3]).contains("the pixels make up 2 images, but there are 3 labels"));
        assert!(
            message(vec![0; 4], vec![9, 12])
                .contains("label 12 of image 1 is out of range: the data set has 10 classes (0–9)")
        );
        assert!(message(vec![], vec![]).contains("data set: 0 images of [2, 1] pixels"));
        let nan = Batch::new(Array2::from_elem([1, 2], f32::NAN), vec![0]).unwrap_err();
        assert!(matches!(nan, Error::NonFiniteInput { .. }));
        assert!(Batch::<f32>::new(Array2::zeros([0, 2]), vec![]).is_err());
        assert!(Batch::<f32>::new(Array2::zeros([2, 2]), vec![1]).is_err());
    }
}
