//! Grouping of values by a key.

/// Groups values by a key. The groups are in the order in which their keys first appear, and values keep their order.
pub(crate) fn grouped<T, K: PartialEq>(values: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<Vec<T>> {
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    for value in values {
        let key = key(&value);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(value),
            None => groups.push((key, vec![value])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouped_keeps_order_of_keys_and_values() {
        assert_eq!(grouped([3, 1, 5, 2, 4], |value| value % 2), [vec![3, 1, 5], vec![2, 4]]);
    }
}
