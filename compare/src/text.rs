//! Wording shared by all texts.

/// Joins the items of a list as in a sentence: `a, b and c`.
pub fn enumerate(items: &[String]) -> String {
    match items.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => items.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enumerate_separates_items_with_commas_and_and() {
        let joined = |items: &[&str]| enumerate(&items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>());
        assert_eq!([joined(&[]), joined(&["a"]), joined(&["a", "b"])], ["", "a", "a and b"]);
        assert_eq!(joined(&["a", "b", "c"]), "a, b and c");
    }
}
