//! CSV files whose text cannot become a formula.

use std::path::Path;

use mlp_parity::storage::write_atomically;

use super::escape;
use crate::error::Result;

/// Writes rows of cells as a CSV file. Control characters are escaped, and a text that a spreadsheet would run as a
/// formula gets an apostrophe in front; numbers remain as they are.
pub(crate) fn write(path: &Path, rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
    let cannot_write = |error: std::io::Error| mlp_parity::Error::io("write", path)(error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(|text| cell(text))).map_err(|error| cannot_write(error.into()))?;
    }
    let bytes = writer.into_inner().map_err(|error| cannot_write(error.into_error()))?;
    Ok(write_atomically(path, &bytes)?)
}

fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    format!("{}{}", if is_formula { "'" } else { "" }, escape::line(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_cells_are_not_formulas() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        let row = ["=1+1", "+A1", "-A1", "@A1", "\tx", "\r=1", "-0.5", "+1e-3", "a,\"b\"", "a\nb\u{1b}", "scratch"];
        write(&path, [row.map(str::to_owned).to_vec()]).unwrap();
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "'=1+1,'+A1,'-A1,'@A1,'\\tx,'\\r=1,-0.5,+1e-3,\"a,\"\"b\"\"\",a\\nb\\u001b,scratch\n"
        );
    }
}
