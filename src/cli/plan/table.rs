//! A table for people: columns as wide as what is in them, two blanks apart.

/// A row of `N` cells.
pub type Row<const N: usize> = [String; N];

/// Aligns the rows below the heading; lines do not end with blanks.
pub fn render<const N: usize>(heading: [&str; N], rows: &[Row<N>]) -> String {
    let heading = heading.map(str::to_owned);
    let all = || std::iter::once(&heading).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in all() {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [
            ["a".to_owned(), "é".to_owned(), String::new()],
            ["long".to_owned(), "x".to_owned(), "last".to_owned()],
        ];
        assert_eq!(
            render(["H", "I", "J"], &rows),
            "H     I  J\na     é\nlong  x  last\n"
        );
    }
}
