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

/// Labels are 0 to 9.
pub const CLASSES: usize = 10;

/// Grey-scale images of one size with a label each. Cloning and splitting copy no pixel.
#[derive(Clone)]
pub struct Dataset {
    pixels: Arc<Vec<u8>>,
    labels: Arc<Vec<u8>>,
    shape: [usize; 2],
    range: Range<usize>,
}

impl Dataset {
    /// More [synthetic](Self::synthetic) pixels than this are refused: they would take a gigabyte.
    const MOST_SYNTHETIC_PIXELS: usize = 1 << 30;

    /// Images of `[rows, columns]` pixels each, row by row, one image after the other, and their labels.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if there is no image, the pixels are not a whole number of images, there are more or fewer
    /// labels than images, or a label is not below [`CLASSES`].
    pub fn new(pixels: Vec<u8>, labels: Vec<u8>, shape: [usize; 2]) -> Result<Self> {
        let refused = |reason| Err(Error::data("data set", reason));
        let size = shape[0].checked_mul(shape[1]).unwrap_or(0);
        if labels.is_empty() || size == 0 {
            return refused(format!("has {} images of {shape:?} pixels; at least one of each is needed", labels.len()));
        }
        if labels.len().checked_mul(size) != Some(pixels.len()) {
            let images = pixels.len() as f64 / size as f64;
            return refused(format!("has {images} images but {} labels; there must be as many", labels.len()));
        }
        if let Some(index) = labels.iter().position(|&label| usize::from(label) >= CLASSES) {
            return refused(format!("label {index} is {}; labels are 0 to {}", labels[index], CLASSES - 1));
        }
        let range = 0..labels.len();
        Ok(Self { pixels: Arc::new(pixels), labels: Arc::new(labels), shape, range })
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

    /// The labels of all images.
    pub fn labels(&self) -> &[u8] {
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

    /// `count` images of noise on a background, with labels at random: for what needs images but not their meaning.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn synthetic(count: usize, shape: [usize; 2], seed: u64) -> Result<Self> {
        let mut generator = generator(seed, Purpose::Images);
        let size = shape[0].saturating_mul(shape[1]);
        let most = count.checked_mul(size).filter(|&pixels| pixels <= Self::MOST_SYNTHETIC_PIXELS);
        let Some(pixels) = most else {
            return Err(Error::data(
                "synthetic images",
                format!("{count} of {shape:?} pixels are too many to make up"),
            ));
        };
        let labels = (0..count).map(|_| (generator.next_u32() % CLASSES as u32) as u8).collect();
        let pixels = (0..pixels).map(|_| generator.next_u32().to_le_bytes());
        // Half of the pixels are background.
        let pixels = pixels.map(|[coin, value, ..]| if coin < 128 { 0 } else { value }).collect();
        Self::new(pixels, labels, shape)
    }

    /// Likewise, of uniform noise from 1 to 255: images in which no pixel is background.
    ///
    /// # Errors
    ///
    /// As [`synthetic`](Self::synthetic).
    pub fn noise(count: usize, shape: [usize; 2], seed: u64) -> Result<Self> {
        let images = Self::synthetic(count, shape, seed)?;
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
    /// [`Error::Data`] if the images have more or fewer pixels than the network inputs, or a label is no class.
    pub fn check_fit(&self, config: &MlpConfig) -> Result<()> {
        let (pixels, inputs, classes) = (self.inputs(), config.inputs(), config.classes());
        if pixels != inputs {
            let reason = format!("have {pixels} pixels, but the network {config} has {inputs} inputs");
            return Err(Error::data("the images", reason));
        }
        match self.labels().iter().find(|&&label| usize::from(label) >= classes) {
            Some(label) => Err(Error::data(
                "the labels",
                format!("include {label}, but the network {config} has {classes} classes"),
            )),
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
        let labels = indices.iter().map(|&index| usize::from(self.labels()[index])).collect();
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
        let Self { shape, range, .. } = self;
        formatter.debug_struct("Dataset").field("shape", shape).field("range", range).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(count: usize) -> Dataset {
        let pixels = (0..count * 6).map(|pixel| (pixel * 37 % 256) as u8).collect();
        Dataset::new(pixels, (0..count).map(|label| (label % 10) as u8).collect(), [2, 3]).unwrap()
    }

    #[test]
    fn pixels_are_divided_by_255_exactly() {
        let every_value = Dataset::new((0..=255).collect(), vec![0; 256], [1, 1]).unwrap();
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
        assert_eq!(format!("{data:?}"), "Dataset { shape: [2, 3], range: 0..12, .. }");
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
        let data = Dataset::synthetic(40, [5, 7], 3).unwrap();
        assert_eq!((data.len(), data.image_shape()), (40, [5, 7]));
        let pixels = |data: &Dataset| (0..data.len()).flat_map(|image| data.image(image).to_vec()).collect::<Vec<u8>>();
        assert_eq!(pixels(&data), pixels(&Dataset::synthetic(40, [5, 7], 3).unwrap()));
        assert_ne!(pixels(&data), pixels(&Dataset::synthetic(40, [5, 7], 4).unwrap()));
        let background = pixels(&data).iter().filter(|&&pixel| pixel == 0).count();
        assert!((500..900).contains(&background), "{background} of 1400");
        assert!(Dataset::synthetic(0, [5, 7], 0).is_err() && Dataset::synthetic(usize::MAX, [5, 7], 0).is_err());
    }

    /// Drawn when this was written: they must never change, or no record could be reproduced.
    #[test]
    fn draws_are_pinned() {
        assert_eq!(Dataset::epoch_order(1, 2, 10), [0, 6, 8, 5, 2, 3, 7, 9, 1, 4]);
        let data = Dataset::synthetic(40, [5, 7], 3).unwrap();
        assert_eq!(data.labels()[..10], [7, 3, 6, 9, 4, 9, 5, 8, 0, 1]);
        assert_eq!(crate::mnist::md5(&data.pixels), "3e15ff2dba95f3fdee3699f68cd60519");
    }

    #[test]
    fn unusable_data_are_refused() {
        let message = |pixels, labels| Dataset::new(pixels, labels, [2, 1]).unwrap_err().to_string();
        assert!(message(vec![0; 4], vec![0; 3]).contains("has 2 images but 3 labels"));
        assert!(message(vec![0; 4], vec![9, 10]).contains("label 1 is 10"));
        assert!(message(vec![], vec![]).contains("has 0 images"));
        let nan = Batch::new(Array2::from_elem([1, 2], f32::NAN), vec![0]).unwrap_err();
        assert!(matches!(nan, Error::NonFiniteInput { .. }));
        assert!(Batch::<f32>::new(Array2::zeros([0, 2]), vec![]).is_err());
        assert!(Batch::<f32>::new(Array2::zeros([2, 2]), vec![1]).is_err());
    }
}
