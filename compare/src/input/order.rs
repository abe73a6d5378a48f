//! The order of layers by their names.

/// Sorts the names of layers: by the numbers in them, with `output_layer` last.
pub(crate) fn in_order(mut names: Vec<&str>) -> Vec<&str> {
    // Keras calls its layers dense, dense_1, dense_2, …
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let all = names.clone();
    let with_number = |name: &str| {
        let numbered = |separator: &str| {
            let start = format!("{name}{separator}");
            all.iter().any(|other| other.strip_prefix(&start).is_some_and(is_number)).then(|| format!("{start}0"))
        };
        // Layer 1 is no unnumbered layer before layer 10.
        let is_numbered = name.ends_with(|character: char| character.is_ascii_digit());
        let first = if is_numbered { None } else { numbered("_").or_else(|| numbered("")) };
        first.unwrap_or_else(|| name.to_owned())
    };
    // Digits become numbers, so that layer10 follows layer9.
    let key = |name: &&str| {
        let mut parts: Vec<(u64, String)> = Vec::new();
        let full_name = with_number(name);
        let mut rest = full_name.as_str();
        while !rest.is_empty() {
            let text = rest.find(|character: char| character.is_ascii_digit()).unwrap_or(rest.len());
            let digits = rest[text..].find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len() - text);
            let number = rest[text..text + digits].parse().unwrap_or(u64::MAX);
            // A name without a number, such as `output` or `head`, follows the numbered ones.
            parts.push((number, rest[..text].to_owned()));
            rest = &rest[text + digits..];
        }
        (*name == "output_layer", parts)
    };
    names.sort_by_cached_key(key);
    names
}

#[cfg(test)]
mod tests {
    use super::in_order;

    /// However the names are sorted in a file, more than ten layers follow each other by their numbers.
    #[test]
    fn in_order_sorts_by_numbers() {
        for (name, step) in [("fc", 1), ("layers.", 1), ("net.", 2), ("", 2), ("Dense_", 1), ("", 3)] {
            for first in [0, 1] {
                let expected: Vec<String> = (0..25).map(|index| format!("{name}{}", first + step * index)).collect();
                let mut sorted: Vec<&str> = expected.iter().map(String::as_str).collect();
                sorted.sort_unstable();
                assert_eq!(in_order(sorted), expected);
            }
        }
    }

    #[test]
    fn in_order_starts_with_the_name_without_a_number() {
        let names = ["dense_10", "dense_2", "dense_1", "dense"];
        assert_eq!(in_order(names.to_vec()), ["dense", "dense_1", "dense_2", "dense_10"]);
        assert_eq!(in_order(vec!["output_layer", "hidden2", "hidden"]), ["hidden", "hidden2", "output_layer"]);
        assert_eq!(in_order(vec!["head", "layer9", "layer10"]), ["layer9", "layer10", "head"]);
    }
}
