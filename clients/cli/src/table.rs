//! Text in columns.

/// Prints the heading and the rows, each column as wide as its widest cell.
pub(crate) fn print<const N: usize>(heading: [&str; N], rows: &[[String; N]]) {
    let heading = heading.map(str::to_owned);
    let lines: Vec<_> = std::iter::once(&heading).chain(rows).collect();
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line.iter()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for line in lines {
        let text: String = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        println!("{}", text.trim_end());
    }
}
