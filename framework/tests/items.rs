//! Tests of the adapter `Items` together with Burn's data loader and a dataset transform.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "flex")]

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset as _;
use burn::data::dataset::transform::PartialDataset;
use burn::tensor::Device;
use mlp_parity::Dataset;
use mlp_parity_framework::{Backend, Item, Items, burn};

/// Returns 70 labelled images of 2×2 pixels, wrapped for Burn.
fn items() -> Items {
    let pixels = (0..70 * 4).map(|pixel| (pixel % 256) as u8).collect();
    Items(Dataset::new(pixels, (0..70).map(|label| label % 10).collect(), [2, 2], 10).unwrap())
}

/// A batcher that returns the items of a batch unchanged.
struct Unbatched;

impl Batcher<Item, Vec<Item>> for Unbatched {
    fn batch(&self, items: Vec<Item>, _: &Device) -> Vec<Item> {
        items
    }
}

#[test]
fn item_contains_pixels_and_label_of_image() {
    let batch = items().0.batch::<f32>(&[13]);
    let item = items().get(13).unwrap();
    assert_eq!((item.image.as_slice(), item.label), (batch.images().row(0).as_slice().unwrap(), 3));
}

#[test]
fn burn_data_loader_visits_every_item_once_in_shuffled_order() {
    let device = Backend::Flex.open().unwrap().device;
    let loader = DataLoaderBuilder::new(Unbatched).batch_size(16).shuffle(1).set_device(device).build(items());
    let batches: Vec<Vec<Item>> = loader.iter().map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 16, 16, 6]);
    let first_pixels = |items: &mut dyn Iterator<Item = Item>| {
        let mut pixels: Vec<f32> = items.map(|item| item.image[0]).collect();
        pixels.sort_by(f32::total_cmp);
        pixels
    };
    let loaded = first_pixels(&mut batches.clone().into_iter().flatten());
    assert_eq!(loaded, first_pixels(&mut (0..70).map(|index| items().get(index).unwrap())));
    assert_ne!(batches[0][0], items().get(0).unwrap());
}

#[test]
fn burn_partial_dataset_selects_range_of_items() {
    let part = PartialDataset::<_, Item>::new(items(), 20, 30);
    assert_eq!(part.len(), 10);
    assert_eq!(part.get(0).unwrap(), items().get(20).unwrap());
}
