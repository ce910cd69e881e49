//! What makes a finding the same one in two runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::diagnostics::{Diagnostic, Lines, Sources, plain_path};

/// Hands out fingerprints: of the code, the file and the text of the line, and of the how-manieth
/// this is. Lines above and below may come and go, and messages may count days.
#[derive(Debug, Default)]
pub(super) struct Fingerprints {
    seen: BTreeMap<Vec<u8>, u64>,
}

impl Fingerprints {
    /// The fingerprint of the next finding, in hexadecimal digits.
    pub(super) fn next(
        &mut self,
        sources: &Sources,
        lines: &Lines<'_>,
        finding: &Diagnostic,
    ) -> String {
        let file = finding.file(sources).map(plain_path).unwrap_or_default();
        let line = finding.place.map(|place| lines.text(place).trim()).unwrap_or_default();
        let mut hash = Sha256::new();
        for part in [finding.code.as_str(), &file, line] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let times = self.seen.entry(hash.clone().finalize().to_vec()).or_default();
        hash.update(times.to_be_bytes());
        *times += 1;
        let mut digits = String::new();
        for byte in hash.finalize().iter().take(16) {
            let _ = write!(digits, "{byte:02x}");
        }
        digits
    }
}
