//! Our data set for Burn's own loaders and transforms.

use burn::data::dataset::Dataset as BurnDataset;
use mlp_parity::Dataset;

/// One image, as the network sees it, and its class.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The pixels, row by row, 0 (background) to 1.
    pub image: Vec<f32>,
    /// The class.
    pub label: usize,
}

/// A data set as a [`burn::data::dataset::Dataset`].
#[derive(Clone, Debug)]
pub struct Items(pub Dataset);

impl BurnDataset<Item> for Items {
    /// # Panics
    ///
    /// If there is no such image, as Burn asks for.
    fn get(&self, index: usize) -> Result<Item, burn::data::dataset::DatasetError> {
        let batch = self.0.batch::<f32>(&[index]);
        let label = batch.labels()[0];
        Ok(Item { image: batch.into_images().into_raw_vec_and_offset().0, label })
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
