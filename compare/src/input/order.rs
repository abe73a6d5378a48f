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
        numbered("_").or_else(|| numbered("")).unwrap_or_else(|| name.to_owned())
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
