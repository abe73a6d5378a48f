//! Escapes of text from outside the program, such as file names, names in a trace or a record, option values and
//! messages of servers. Without them, such text could move the cursor, reverse the order of what is displayed, or look
//! like a line that the program itself has printed.

use std::borrow::Cow;

/// Escapes all characters that are not displayed as themselves, except line breaks and tabs. The escapes are those of
/// JSON strings (`\u001b`), so that a JSON document remains valid and keeps its meaning.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |character| !matches!(character, '\n' | '\t') && is_special(character))
}

/// Escapes the same characters as [`text()`], and also line breaks and tabs, so that the result is a single line.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_special)
}

/// Returns text as one argument of a shell command, in quotes if necessary.
pub(crate) fn shell_argument(text: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "-_./:,+=@%".contains(character);
    match line(text) {
        text if !text.is_empty() && text.chars().all(is_plain) => text.into_owned(),
        text => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            _ if !is_escaped(character) => escaped.push(character),
            '\n' => escaped += "\\n",
            '\r' => escaped += "\\r",
            '\t' => escaped += "\\t",
            _ => {
                escaped.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    Cow::Owned(escaped)
}

/// Returns true for control characters, characters that change the direction of text, separators of lines, invisible
/// characters, and code points that are no characters. The joiners U+200C and U+200D are part of ordinary text.
fn is_special(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || u32::from(character) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_shell() {
        assert_eq!(shell_argument("dir:data/mnist-1"), "dir:data/mnist-1");
        assert_eq!(shell_argument("$(id); it's"), r"'$(id); it'\''s'");
        assert_eq!(shell_argument("a\n```"), r"'a\n```'");
        assert_eq!(shell_argument(""), "''");
    }

    #[test]
    fn escape_covers_characters_that_are_not_displayed() {
        for character in ['\0', '\u{8}', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}'] {
            assert_ne!(text(&character.to_string()), character.to_string());
        }
        let [first, last] = ['\u{202a}', '\u{2066}'];
        let ranges = (first..='\u{202e}').chain(last..='\u{2069}');
        for character in ranges.chain("\u{200b}\u{200e}\u{200f}\u{2028}\u{feff}\u{fffe}\u{ffff}".chars()) {
            assert_eq!(text(&character.to_string()), format!("\\u{:04x}", u32::from(character)));
        }
        assert_eq!(text("a\u{1b}[31m\rb"), "a\\u001b[31m\\rb");
        assert_eq!(text("\u{1ffff}"), "\\ud83f\\udfff");
    }

    #[test]
    fn escape_keeps_ordinary_text() {
        for plain in ["", "layer1.weight", "95 % ± θ₁ → █", "日本語 हिन्दी עברית", "👩\u{200d}🔬", "\u{fffd}", "C:\\new"]
        {
            assert!(matches!(text(plain), Cow::Borrowed(_)) && matches!(line(plain), Cow::Borrowed(_)), "{plain}");
        }
        assert_eq!((text("a\n\tb"), line("a\n\tb")), (Cow::Borrowed("a\n\tb"), Cow::Borrowed("a\\n\\tb")));
    }

    #[test]
    fn escape_keeps_json_valid() {
        let name = "\u{7f}\u{9b}\u{202e}\u{1b}\n\u{fffe}";
        let document = serde_json::to_string_pretty(&serde_json::json!({ "name": name })).unwrap();
        let parsed: serde_json::Value = serde_json::from_str(&text(&document)).unwrap();
        assert_eq!(parsed["name"], name);
        assert!(text(&document).is_ascii());
    }
}
