//! Text in columns.

/// Prints the heading and the rows.
pub(crate) fn print<const N: usize>(heading: [&str; N], rows: &[[String; N]]) {
    lines(heading, rows).for_each(|line| println!("{line}"));
}

/// The heading and the rows, each column as wide as its widest cell.
pub(crate) fn lines<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> impl Iterator<Item = String> {
    let heading = heading.map(str::to_owned);
    let lines: Vec<_> = std::iter::once(&heading).chain(rows).cloned().collect();
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line.iter()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    lines.into_iter().map(move |line| {
        let text: String = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        text.trim_end().to_owned()
    })
}
