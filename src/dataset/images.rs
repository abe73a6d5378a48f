//! Images and labels, and the batches that are made of them: the one path that data take into every implementation.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, Zip};
use rand::seq::SliceRandom;
use rand_chacha::rand_core::Rng;

use super::batch::Batch;
use crate::hyperparameters::seed::{Purpose, generator};
use crate::{Error, MlpConfig, Result, Scalar};

/// Grey-scale images of one size, each with a label below [`classes`](Self::classes). Cloning and splitting copy no pixel.
#[derive(Clone)]
pub struct Dataset {
    pixels: Arc<Vec<u8>>,
    labels: Arc<Vec<usize>>,
    shape: [usize; 2],
    classes: usize,
    range: Range<usize>,
}

impl Dataset {
    /// More [synthetic](Self::synthetic) pixels than this are refused: they would take a gigabyte.
    const MOST_SYNTHETIC_PIXELS: usize = 1 << 30;

    /// Creates a data set from the pixels of all images, `[images, rows, columns]` in this order, one label for each image,
    /// the shape `[rows, columns]` of an image, and the number of classes.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if there is no image, the pixels are not a whole number of images, there are more or fewer
    /// labels than images, there are fewer than two classes, or a label is not below `classes`.
    pub fn new(pixels: Vec<u8>, labels: Vec<usize>, shape: [usize; 2], classes: usize) -> Result<Self> {
        check_classes(classes)?;
        let refused = |reason| Err(Error::data("data set", reason));
        let size = shape[0].checked_mul(shape[1]).unwrap_or(0);
        if labels.is_empty() || size == 0 {
            return refused(format!("has {} images of {shape:?} pixels; at least one of each is needed", labels.len()));
        }
        if labels.len().checked_mul(size) != Some(pixels.len()) {
            let images = pixels.len() as f64 / size as f64;
            return refused(format!("has {images} images but {} labels; there must be as many", labels.len()));
        }
        if let Some((index, label)) = labels.iter().enumerate().find(|&(_, &label)| label >= classes) {
            let last = classes - 1;
            return refused(format!("label {index} is {label}; the data set has {classes} classes (0–{last})"));
        }
        let range = 0..labels.len();
        Ok(Self { pixels: Arc::new(pixels), labels: Arc::new(labels), shape, classes, range })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Never: a data set has at least one image.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Rows and columns of an image.
    pub fn image_shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Pixels of an image: the inputs of a network.
    pub fn inputs(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// The number of classes: labels are below it. A part has those of the whole, whichever labels occur in it.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The label of each image.
    pub fn labels(&self) -> &[usize] {
        &self.labels[self.range.clone()]
    }

    /// The pixels of one image, row by row, 0 (background) to 255.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn image(&self, index: usize) -> &[u8] {
        assert!(index < self.len(), "image {index} of {}", self.len());
        let start = (self.range.start + index) * self.inputs();
        &self.pixels[start..start + self.inputs()]
    }

    /// Draws `count` images, half of whose pixels are background and the others noise, with uniformly random labels: for
    /// what needs images but not their meaning.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the images would take more than a gigabyte; as [`new`](Self::new).
    pub fn synthetic(count: usize, shape: [usize; 2], classes: usize, seed: u64) -> Result<Self> {
        check_classes(classes)?;
        let mut generator = generator(seed, Purpose::Images);
        let size = shape[0].saturating_mul(shape[1]);
        let most = count.checked_mul(size).filter(|&pixels| pixels <= Self::MOST_SYNTHETIC_PIXELS);
        let Some(pixels) = most else {
            return Err(Error::data(
                "synthetic images",
                format!("{count} of {shape:?} pixels are too many to make up"),
            ));
        };
        let labels = (0..count).map(|_| generator.next_u32() as usize % classes).collect();
        let pixels = (0..pixels).map(|_| generator.next_u32().to_le_bytes());
        let pixels = pixels.map(|[coin, value, ..]| if coin < 128 { 0 } else { value }).collect();
        Self::new(pixels, labels, shape, classes)
    }

    /// Draws `count` images of uniform noise from 1 to 255, in which no pixel is background, with the labels of
    /// [`synthetic`](Self::synthetic).
    ///
    /// # Errors
    ///
    /// As [`synthetic`](Self::synthetic).
    pub fn noise(count: usize, shape: [usize; 2], classes: usize, seed: u64) -> Result<Self> {
        let images = Self::synthetic(count, shape, classes, seed)?;
        let mut generator = generator(seed, Purpose::Images);
        let pixels = images.pixels.iter().map(|_| (generator.next_u32() % 255 + 1) as u8).collect();
        Ok(Self { pixels: Arc::new(pixels), ..images })
    }

    /// The first `count` images and the rest. MNIST's images are in random order of class, so that the last ones of a
    /// training set serve as a validation set.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if one of the two were empty.
    pub fn split_at(&self, count: usize) -> Result<(Self, Self)> {
        if count == 0 || count >= self.len() {
            let reason = format!("cannot split {} images at {count}: both parts need at least one", self.len());
            return Err(Error::data("data set", reason));
        }
        let middle = self.range.start + count;
        let part = |range| Self { range, ..self.clone() };
        Ok((part(self.range.start..middle), part(middle..self.range.end)))
    }

    /// The first `count` images.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if there are fewer, or `count` is 0.
    pub fn take(&self, count: usize) -> Result<Self> {
        if count == 0 || count > self.len() {
            let reason = format!("cannot take {count} images: the set has {}, and at least one is needed", self.len());
            return Err(Error::data("data set", reason));
        }
        Ok(Self { range: self.range.start..self.range.start + count, ..self.clone() })
    }

    /// Checks that a network of this shape can take the images and labels.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the images have more or fewer pixels than the network has inputs, or a label is not below the
    /// number of the network's classes.
    pub fn check_fit(&self, config: &MlpConfig) -> Result<()> {
        let (pixels, inputs, classes) = (self.inputs(), config.inputs(), config.classes());
        if pixels != inputs {
            let reason = format!("have {pixels} pixels, but the network {config} has {inputs} inputs");
            return Err(Error::data("the images", reason));
        }
        match self.labels().iter().find(|&&label| label >= classes) {
            Some(label) => {
                let last = classes - 1;
                let reason = format!("include {label}, but the network {config} has {classes} classes (0–{last})");
                Err(Error::data("the labels", reason))
            }
            None => Ok(()),
        }
    }

    /// A pixel as networks see it: exactly `f32::from(pixel) / 255.0` (the product with 1/255 differs for 126 of the 256
    /// values), in either precision.
    pub const fn value(pixel: u8) -> f32 {
        pixel as f32 / 255.0
    }

    /// The images of `indices`, in that order.
    ///
    /// # Panics
    ///
    /// If there is no index, or one is not below [`len`](Self::len).
    pub fn batch<F: Scalar>(&self, indices: &[usize]) -> Batch<F> {
        assert!(!indices.is_empty(), "a batch has at least one image");
        let mut images = Array2::zeros([indices.len(), self.inputs()]);
        for (row, &index) in images.rows_mut().into_iter().zip(indices) {
            Zip::from(row).and(self.image(index)).for_each(|value, &pixel| *value = Self::value(pixel).into());
        }
        let labels = indices.iter().map(|&index| self.labels()[index]).collect();
        Batch::unchecked(images, labels)
    }

    /// The order in which an epoch (from 1) visits `images` images: a Fisher–Yates shuffle that depends on the seed
    /// and the epoch alone.
    pub fn epoch_order(seed: u64, epoch: usize, images: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..images).collect();
        order.shuffle(&mut generator(seed, Purpose::Epoch(epoch)));
        order
    }
}

/// Without the pixels, which may be many.
impl fmt::Debug for Dataset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, classes, range, .. } = self;
        let mut fields = formatter.debug_struct("Dataset");
        fields.field("shape", shape).field("classes", classes).field("range", range).finish_non_exhaustive()
    }
}

/// `Ok` if a classifier can tell that many classes apart.
fn check_classes(classes: usize) -> Result<()> {
    if classes >= 2 {
        return Ok(());
    }
    Err(Error::data("data set", format!("has {classes} classes; a classifier needs at least two")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(count: usize) -> Dataset {
        let pixels = (0..count * 6).map(|pixel| (pixel * 37 % 256) as u8).collect();
        Dataset::new(pixels, (0..count).map(|label| label % 10).collect(), [2, 3], 10).unwrap()
    }

    #[test]
    fn pixels_are_divided_by_255_exactly() {
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
    fn batches_follow_the_indices() {
        let batch = dataset(12).batch::<f32>(&[11, 3]);
        assert_eq!(batch.labels(), [1, 3]);
        assert_eq!(batch.images()[[1, 0]], f32::from((18 * 37 % 256) as u8) / 255.0);
    }

    #[test]
    fn parts_keep_their_own_images() {
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
    fn nothing_is_empty_and_nobody_prints_pixels() {
        let data = dataset(12);
        let batch = data.batch::<f32>(&[11, 3]);
        assert_eq!((data.is_empty(), batch.is_empty(), batch.len()), (false, false, 2));
        assert_eq!(format!("{data:?}"), "Dataset { shape: [2, 3], classes: 10, range: 0..12, .. }");
    }

    #[test]
    fn an_order_is_a_permutation_that_seed_and_epoch_decide() {
        let order = Dataset::epoch_order(3, 1, 1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000));
        assert_eq!(order, Dataset::epoch_order(3, 1, 1000));
        assert_ne!(order, Dataset::epoch_order(3, 2, 1000));
        assert_ne!(order, Dataset::epoch_order(4, 1, 1000));
    }

    #[test]
    fn synthetic_images_are_the_same_for_the_same_seed_and_half_background() {
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

    /// Drawn when this was written: they must never change, or no record could be reproduced.
    #[test]
    fn draws_are_pinned() {
        assert_eq!(Dataset::epoch_order(1, 2, 10), [0, 6, 8, 5, 2, 3, 7, 9, 1, 4]);
        let data = Dataset::synthetic(40, [5, 7], 10, 3).unwrap();
        assert_eq!(data.labels()[..10], [7, 3, 6, 9, 4, 9, 5, 8, 0, 1]);
        assert_eq!(crate::mnist::md5(&data.pixels), "3e15ff2dba95f3fdee3699f68cd60519");
    }

    #[test]
    fn dataset_takes_any_number_of_classes_from_two_up() {
        for classes in [2, 3, 300, 1 << 20] {
            let data = Dataset::new(vec![0; 2], vec![0, classes - 1], [1, 1], classes).unwrap();
            assert_eq!((data.classes(), data.labels()), (classes, &[0, classes - 1][..]));
            assert_eq!(data.batch::<f32>(&[1]).labels(), [classes - 1]);
            assert!(Dataset::new(vec![0; 2], vec![0, classes], [1, 1], classes).is_err());
        }
        for classes in [0, 1] {
            for refused in [
                Dataset::new(vec![0; 2], vec![0, 0], [1, 1], classes),
                Dataset::synthetic(2, [1, 1], classes, 0),
                Dataset::noise(2, [1, 1], classes, 0),
            ] {
                let message = refused.unwrap_err().to_string();
                assert_eq!(message, format!("data set: has {classes} classes; a classifier needs at least two"));
            }
        }
    }

    #[test]
    fn dataset_parts_keep_the_number_of_classes() {
        let data = Dataset::new(vec![0; 4], vec![0, 1, 0, 6], [1, 1], 7).unwrap();
        let (first, rest) = data.split_at(2).unwrap();
        assert_eq!([first.classes(), rest.classes(), data.take(1).unwrap().classes()], [7; 3]);
    }

    #[test]
    fn synthetic_labels_are_draws_modulo_the_number_of_classes() {
        let labels = |classes| Dataset::synthetic(200, [5, 7], classes, 3).unwrap().labels().to_vec();
        assert_eq!(labels(5), labels(10).into_iter().map(|label| label % 5).collect::<Vec<_>>());
        assert_eq!(Dataset::noise(200, [5, 7], 5, 3).unwrap().labels(), labels(5));
        assert!(labels(3).into_iter().eq(labels(9).into_iter().map(|label| label % 3)));
        assert_eq!(labels(300).into_iter().max(), Some(299), "every class can be drawn");
    }

    #[test]
    fn dataset_check_fit_rejects_labels_that_the_network_has_no_class_for() {
        let data = Dataset::new(vec![0; 2], vec![1, 3], [1, 1], 10).unwrap();
        let network = |inputs, classes| MlpConfig::new(inputs, &[], classes, crate::Activation::Relu).unwrap();
        assert!(data.check_fit(&network(1, 4)).is_ok());
        let message = |config| data.check_fit(&config).unwrap_err().to_string();
        let reason = "the labels: include 3, but the network 1-3, relu has 3 classes (0–2)";
        assert_eq!(message(network(1, 3)), reason);
        assert!(message(network(2, 10)).contains("have 1 pixels"));
    }

    #[test]
    fn unusable_data_are_refused() {
        let message = |pixels, labels| Dataset::new(pixels, labels, [2, 1], 10).unwrap_err().to_string();
        assert!(message(vec![0; 4], vec![0; 3]).contains("has 2 images but 3 labels"));
        assert!(message(vec![0; 4], vec![9, 12]).contains("label 1 is 12; the data set has 10 classes (0–9)"));
        assert!(message(vec![], vec![]).contains("has 0 images"));
        let nan = Batch::new(Array2::from_elem([1, 2], f32::NAN), vec![0]).unwrap_err();
        assert!(matches!(nan, Error::NonFiniteInput { .. }));
        assert!(Batch::<f32>::new(Array2::zeros([0, 2]), vec![]).is_err());
        assert!(Batch::<f32>::new(Array2::zeros([2, 2]), vec![1]).is_err());
    }
}
