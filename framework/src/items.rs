//! Adapter that makes a [`Dataset`] available to Burn's data loaders and transforms.

use burn::data::dataset::Dataset as BurnDataset;
use mlp_parity::Dataset;

/// One labelled image, with its pixels scaled to the input values of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The scaled pixels, row by row, from 0 (background) to 1.
    pub image: Vec<f32>,
    /// The label (class index).
    pub label: usize,
}

/// A [`Dataset`] as a [`burn::data::dataset::Dataset`], for use with Burn's data loaders and transforms.
#[derive(Clone, Debug)]
pub struct Items(pub Dataset);

impl BurnDataset<Item> for Items {
    /// Returns the image at `index`.
    ///
    /// # Panics
    ///
    /// Panics if `index` is not below the number of images, as Burn's trait requires.
    fn get(&self, index: usize) -> Result<Item, burn::data::dataset::DatasetError> {
        let batch = self.0.batch::<f32>(&[index]);
        let label = batch.labels()[0];
        Ok(Item { image: batch.into_images().into_raw_vec_and_offset().0, label })
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
