//! The JSON document of a reproduction, `mlp-parity-reproduction/2`.

use serde::Serialize;

use super::results::{Finding, Provenance, Results, TableResult};
use crate::record::CheckRecord;

impl Results<'_> {
    /// Returns all results as a JSON document, described by `compare/schemas/reproduction.schema.json`.
    ///
    /// # Errors
    ///
    /// Any error that the serializer returns.
    pub fn document(&self) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Document<'a> {
            format: &'static str,
            title: &'a str,
            tables: &'a [TableResult<'a>],
            findings: &'a [Finding],
            checks: &'a [&'a CheckRecord],
            provenance: &'a [Provenance<'a>],
        }
        let Self { grid, tables, checks, provenance, .. } = self;
        let findings = &self.findings();
        let format = "mlp-parity-reproduction/2";
        serde_json::to_string_pretty(&Document { format, title: &grid.title, tables, findings, checks, provenance })
    }
}
