//! Which rows of a table are shown, in which order, and as CSV.

use std::cmp::Ordering;

/// A cell as it is searched, sorted and exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    pub text: String,
    /// Sorts before the text, if there is one.
    pub number: Option<f64>,
}

/// The indices of the rows whose cells hold every word of `query`, sorted by one column.
#[must_use]
pub fn arrange<'a>(
    rows: impl Iterator<Item = &'a [Cell]>,
    query: &str,
    column: Option<usize>,
    descending: bool,
) -> Vec<usize> {
    let rows: Vec<&[Cell]> = rows.collect();
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut shown: Vec<usize> = (0..rows.len())
        .filter(|&index| holds(rows[index], &words))
        .collect();
    if let Some(column) = column {
        shown.sort_by(|&a, &b| {
            let order = compare(rows[a].get(column), rows[b].get(column));
            if descending { order.reverse() } else { order }
        });
    }
    shown
}

/// RFC 4180. A text that a spreadsheet would run as a formula gets an apostrophe.
#[must_use]
pub fn csv<'a>(titles: &[&str], rows: impl Iterator<Item = &'a [Cell]>) -> String {
    let mut out = titles
        .iter()
        .map(|title| quoted(title))
        .collect::<Vec<_>>()
        .join(",");
    out.push_str("\r\n");
    for row in rows {
        let cells: Vec<String> = row.iter().map(exported).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

fn holds(row: &[Cell], words: &[String]) -> bool {
    words.iter().all(|word| {
        row.iter()
            .any(|cell| cell.text.to_lowercase().contains(word))
    })
}

fn compare(a: Option<&Cell>, b: Option<&Cell>) -> Ordering {
    let (Some(a), Some(b)) = (a, b) else {
        return Ordering::Equal;
    };
    match (a.number, b.number) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => natural(&a.text, &b.text),
    }
}

/// `pump 2` before `pump 10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let order = match (a.peek().copied(), b.peek().copied()) {
            (None, None) => return Ordering::Equal,
            (x, y) => match (x, y) {
                (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                    digits(&mut a).cmp(&digits(&mut b))
                }
                (x, y) => {
                    a.next();
                    b.next();
                    x.map(lower).cmp(&y.map(lower))
                }
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

fn digits(text: &mut std::iter::Peekable<std::str::Chars<'_>>) -> u128 {
    let mut number = 0u128;
    while let Some(digit) = text.peek().and_then(|c| c.to_digit(10)) {
        number = number.saturating_mul(10).saturating_add(digit.into());
        text.next();
    }
    number
}

fn exported(cell: &Cell) -> String {
    match cell.number {
        Some(number) => number.to_string(),
        None if cell.text.starts_with(['=', '+', '-', '@', '\t']) => {
            quoted(&format!("'{}", cell.text))
        }
        None => quoted(&cell.text),
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> Cell {
        Cell {
            text: text.into(),
            number: text.parse().ok(),
        }
    }

    fn arranged(rows: &[[&str; 2]], query: &str, column: usize, descending: bool) -> Vec<usize> {
        let rows: Vec<Vec<Cell>> = rows.iter().map(|row| row.map(cell).to_vec()).collect();
        arrange(
            rows.iter().map(Vec::as_slice),
            query,
            Some(column),
            descending,
        )
    }

    #[test]
    fn rows_are_found_by_words_and_sorted_as_people_count() {
        let rows = [["Pump 10", "3"], ["pump 2", "20"], ["Valve", "—"]];
        assert_eq!(arranged(&rows, "", 0, false), [1, 0, 2]);
        assert_eq!(arranged(&rows, "", 1, false), [0, 1, 2]);
        assert_eq!(arranged(&rows, "PUMP 3", 0, true), [0]);
    }

    #[test]
    fn csv_runs_no_formula() {
        let rows = [vec![cell("=1+1"), cell("a,\"b\""), cell("4.5")]];
        let text = csv(&["x", "y", "z"], rows.iter().map(Vec::as_slice));
        assert_eq!(text, "x,y,z\r\n'=1+1,\"a,\"\"b\"\"\",4.5\r\n");
    }
}
