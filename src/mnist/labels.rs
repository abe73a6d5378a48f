//! The classes that the labels of a data set stand for.

use super::files::CLASSES;
use crate::list_names;

/// Numbers of classes of the published data sets whose labels may begin with 1: digits, and EMNIST's letters, balanced and
/// by-class sets.
const PUBLISHED_CLASSES: [u8; 4] = [10, 26, 47, 62];

/// Determines the number of classes from the labels of both sets, and lets the labels begin with 0.
///
/// Labels from 1 to 10, 26, 47 or 62, and labels from 1 to any greater number than 9 that all occur, begin with 1, and 1 is
/// subtracted. There are 10 classes, or as many as the largest label demands. Returns this number, and a note on what was
/// assumed.
pub(super) fn classes(train: &mut [u8], test: &mut [u8]) -> (usize, Option<String>) {
    let mut occurs = [false; 256];
    train.iter().chain(test.iter()).for_each(|&label| occurs[usize::from(label)] = true);
    let label = |found: Option<usize>| found.unwrap_or(0) as u8;
    let lowest = label(occurs.iter().position(|&occurs| occurs));
    let highest = label(occurs.iter().rposition(|&occurs| occurs));
    let are_all = |from: u8| occurs[usize::from(from)..=usize::from(highest)].iter().all(|&occurs| occurs);
    let begins_with_one = usize::from(highest) >= CLASSES
        && (lowest >= 1 && PUBLISHED_CLASSES.contains(&highest) || lowest == 1 && are_all(1));
    if begins_with_one {
        train.iter_mut().chain(test).for_each(|label| *label -= 1);
        let note = format!("labels run from 1 to {highest}: read as the classes 0 to {}", highest - 1);
        return (highest.into(), Some(note));
    }
    let classes = CLASSES.max(usize::from(highest) + 1);
    let note = if lowest == 1 && highest > 1 && are_all(1) {
        Some(format!(
            "labels run from 1 to {highest}, and 0 does not occur: read as the digits 1 to {highest}; if they are {highest} \
             classes that are counted from 1, subtract 1 from each label"
        ))
    } else if classes > CLASSES && !are_all(0) {
        let absent: Vec<String> = (0..classes).filter(|&class| !occurs[class]).map(|class| class.to_string()).collect();
        let listed = list_names(absent.iter().map(String::as_str));
        Some(format!(
            "labels run up to {highest}: read as {classes} classes, of which {} have no image ({listed}); check the labels",
            absent.len()
        ))
    } else {
        None
    };
    (classes, note)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of classes, the labels of both sets, and the note.
    fn read(train: impl IntoIterator<Item = u8>, test: &[u8]) -> (usize, Vec<u8>, String) {
        let mut train: Vec<u8> = train.into_iter().collect();
        let mut test = test.to_vec();
        let (classes, note) = classes(&mut train, &mut test);
        (classes, [train, test].concat(), note.unwrap_or_default())
    }

    #[test]
    fn labels_up_to_nine_are_ten_classes() {
        assert_eq!(read([0, 3], &[9]), (10, vec![0, 3, 9], String::new()));
        assert_eq!(read([3, 7], &[7]), (10, vec![3, 7, 7], String::new()));
    }

    #[test]
    fn labels_that_begin_with_one_are_shifted_in_both_sets() {
        let (classes, labels, note) = read(1..=10, &[10, 1]);
        assert_eq!((classes, &labels[9..]), (10, &[9, 9, 0][..]));
        assert_eq!(note, "labels run from 1 to 10: read as the classes 0 to 9");
        for highest in [26, 47, 62] {
            let (classes, labels, _) = read([2, highest], &[1]);
            assert_eq!((classes, labels), (highest.into(), vec![1, highest - 1, 0]));
        }
        assert_eq!(read(1..=12, &[]).0, 12);
        // A test set without class 1 has the same base as the training set.
        assert_eq!(read(1..=26, &[5]).1[26], 4);
    }

    #[test]
    fn labels_from_zero_make_as_many_classes_as_the_largest_demands() {
        for highest in [10, 25, 46, 61, 255] {
            assert_eq!(
                read(0..=highest, &[0]),
                (usize::from(highest) + 1, (0..=highest).chain([0]).collect(), String::new())
            );
        }
        // Ten, but with a class 0.
        assert_eq!(read(0..=9, &[10]).0, 11);
    }

    #[test]
    fn labels_from_one_to_nine_are_ambiguous() {
        let (classes, labels, note) = read(1..=9, &[2]);
        assert_eq!((classes, labels[0]), (10, 1));
        assert!(note.starts_with("labels run from 1 to 9, and 0 does not occur: read as the digits 1 to 9;"), "{note}");
    }

    #[test]
    fn labels_with_gaps_are_reported() {
        let (classes, _, note) = read([0, 1, 2, 30], &[0]);
        assert_eq!(classes, 31);
        let expected = "labels run up to 30: read as 31 classes, of which 27 have no image (3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 17 more)";
        assert!(note.starts_with(expected), "{note}");
    }
}
