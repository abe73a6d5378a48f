//! The difference of a tensor from its expected value, reduced to a size that can be drawn.

use ndarray::{Array2, ArrayViewD};

/// Largest number of blocks along an axis.
const MAX_BLOCKS: usize = 64;

/// The difference actual − expected of a matrix or a vector, divided into blocks of neighbouring elements. The value of a block is
/// that of its element with the largest magnitude.
#[derive(Clone, Debug, PartialEq)]
pub struct DifferenceMap {
    /// Numbers of rows and columns of the tensor. A vector has one row.
    pub shape: [usize; 2],
    /// Numbers of rows and columns of a block. The last blocks along an axis may be smaller.
    pub block: [usize; 2],
    /// Value of each block; NaN if an element is not a number.
    pub values: Array2<f64>,
    /// Number of elements that exceed their error bounds.
    pub exceeding: usize,
}

impl DifferenceMap {
    /// Creates the map of two tensors of the same shape; `None` unless they are matrices or vectors with at least one element.
    pub(super) fn new(expected: &ArrayViewD<'_, f64>, actual: &ArrayViewD<'_, f64>, exceeding: usize) -> Option<Self> {
        let shape = match *expected.shape() {
            [columns] => [1, columns],
            [rows, columns] => [rows, columns],
            _ => return None,
        };
        if shape.contains(&0) {
            return None;
        }
        let block = shape.map(|length| length.div_ceil(MAX_BLOCKS));
        let mut values = Array2::zeros([shape[0].div_ceil(block[0]), shape[1].div_ceil(block[1])]);
        for (position, (expected, actual)) in expected.iter().zip(actual).enumerate() {
            let (row, column) = (position / shape[1], position % shape[1]);
            let value: &mut f64 = &mut values[[row / block[0], column / block[1]]];
            let difference = actual - expected;
            if magnitude(difference) > magnitude(*value) {
                *value = difference;
            }
        }
        Some(Self { shape, block, values, exceeding })
    }

    /// Returns the row and the column of the block that contains an element.
    pub fn block_of(&self, index: &[usize]) -> Option<[usize; 2]> {
        let [row, column] = match *index {
            [column] => [0, column],
            [row, column] => [row, column],
            _ => return None,
        };
        Some([row / self.block[0], column / self.block[1]])
    }

    /// Returns the largest finite magnitude; 0 if no difference is finite.
    pub fn largest(&self) -> f64 {
        self.values.iter().filter(|value| value.is_finite()).map(|value| value.abs()).fold(0.0, f64::max)
    }
}

/// Returns the magnitude of a difference, by which the elements of a block are compared. NaN is larger than any number.
fn magnitude(difference: f64) -> f64 {
    if difference.is_nan() { f64::INFINITY } else { difference.abs() }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, ArrayD, IxDyn, arr2};

    use super::*;

    /// Returns the map of a tensor of zeros in which some elements, given by their index and value, are wrong.
    fn map(shape: &[usize], wrong: &[(&[usize], f64)]) -> Option<DifferenceMap> {
        let expected = ArrayD::zeros(shape);
        let mut actual = expected.clone();
        wrong.iter().for_each(|(index, value)| actual[IxDyn(index)] = *value);
        DifferenceMap::new(&expected.view(), &actual.view(), wrong.len())
    }

    #[test]
    fn small_matrix_keeps_every_element() {
        let map = map(&[2, 3], &[(&[0, 2], -1.5), (&[1, 0], 0.5)]).unwrap();
        assert_eq!((map.shape, map.block, map.exceeding), ([2, 3], [1, 1], 2));
        assert_eq!(map.values, arr2(&[[0.0, 0.0, -1.5], [0.5, 0.0, 0.0]]));
        assert_eq!((map.largest(), map.block_of(&[1, 2])), (1.5, Some([1, 2])));
    }

    #[test]
    fn block_has_element_of_largest_magnitude_with_its_sign() {
        let map = map(&[784, 100], &[(&[12, 0], 1.0), (&[0, 1], -2.0), (&[13, 2], 3.0), (&[783, 99], -4.0)]).unwrap();
        assert_eq!((map.block, map.values.dim()), ([13, 2], (61, 50)));
        let expected = [([0, 0], -2.0), ([1, 1], 3.0), ([60, 49], -4.0), ([0, 1], 0.0)];
        expected.iter().for_each(|&(block, value)| assert_eq!(map.values[block], value, "{block:?}"));
        assert_eq!(map.block_of(&[13, 2]), Some([1, 1]));
    }

    #[test]
    fn axis_has_at_most_64_blocks() {
        for length in [1, 63, 64, 65, 127, 128, 129, 10_000] {
            let map = map(&[length], &[(&[length - 1], 1.0)]).unwrap();
            let blocks = map.values.ncols();
            assert!(blocks <= 64 && blocks * map.block[1] >= length && (length > 64 || blocks == length), "{length}");
            assert_eq!((map.shape, map.values[[0, blocks - 1]]), ([1, length], 1.0));
        }
    }

    #[test]
    fn values_that_are_not_finite_remain_visible() {
        let map = map(&[1, 128], &[(&[0, 0], f64::NAN), (&[0, 1], 9.0), (&[0, 2], f64::NEG_INFINITY), (&[0, 4], 2.0)]);
        let map = map.unwrap();
        assert!(map.values[[0, 0]].is_nan());
        assert_eq!((map.values[[0, 1]], map.largest()), (f64::NEG_INFINITY, 2.0));
    }

    #[test]
    fn scalars_and_empty_tensors_have_no_map() {
        assert_eq!([&[][..], &[0], &[3, 0], &[1, 2, 3]].map(|shape| map(shape, &[])), [None, None, None, None]);
    }

    #[test]
    fn transposed_view_is_read_by_its_indices() {
        let actual = Array::from_shape_vec((2, 3), vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let (actual, expected) = (actual.t().into_dyn(), ArrayD::zeros(IxDyn(&[3, 2])));
        let map = DifferenceMap::new(&expected.view(), &actual, 6).unwrap();
        assert_eq!(map.values, arr2(&[[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]));
    }
}
