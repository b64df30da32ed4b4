//! What peers say of themselves is kept for as long as they are there, and shown to others: it has its limits.

use std::collections::HashMap;

use tonic::Status;

/// Bytes of a session's label.
const LABEL: usize = 256;

/// Bytes of an engine's labels, keys and values.
const LABELS: usize = 16 << 10;

/// Cuts a session's label, between two characters. It is for people, and no reason to refuse anybody.
pub(crate) fn cut_label(label: &mut String) {
    let end = (0..=LABEL.min(label.len())).rev().find(|end| label.is_char_boundary(*end)).unwrap_or(0);
    label.truncate(end);
    label.shrink_to_fit();
}

/// Refuses labels that are too much.
pub(crate) fn check_labels(labels: &HashMap<String, String>) -> Result<(), Status> {
    let size: usize = labels.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size <= LABELS {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "hello.labels: {size} bytes, the most is {LABELS}: use fewer or shorter labels"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_cut_between_characters() {
        let cut = |label: &str| {
            let mut label = label.to_owned();
            cut_label(&mut label);
            label
        };
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"x".repeat(LABEL + 1)), "x".repeat(LABEL));
        assert_eq!(cut(&format!("x{}", "ä".repeat(LABEL))), format!("x{}", "ä".repeat(127)));
    }

    #[test]
    fn labels_are_refused_by_name_where_they_are_too_much() {
        let labels = |bytes: usize| HashMap::from([("k".to_owned(), "v".repeat(bytes - 1))]);
        check_labels(&labels(LABELS)).unwrap();
        assert!(check_labels(&labels(LABELS + 1)).unwrap_err().message().contains("hello.labels"));
    }
}
