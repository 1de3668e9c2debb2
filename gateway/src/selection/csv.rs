//! Rules as CSV (RFC 4180): a column for paths, and one for each key that a table can have.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};

use super::{Kind, Row, RowProblem, Shape};

/// The column of rules that are a text, and of the path of those that are a table.
const PATH: &str = "path";
/// Unknown columns that are told one by one.
const MAX_UNKNOWN: usize = 200;
/// What a spreadsheet would take for a formula gets this in front.
const SHIELD: char = '\'';

/// The rules, one a line.
#[must_use]
pub fn write_csv(shape: &Shape, rules: &[Json]) -> String {
    let mut out = String::from(PATH);
    let columns = || shape.columns.iter().filter(|column| column.name != PATH);
    for column in columns() {
        let _ = write!(out, ",{}", quoted(&column.name));
    }
    out.push_str("\r\n");
    for rule in rules {
        let path = rule.as_str().or_else(|| rule.get(PATH)?.as_str());
        out.push_str(&path.map(text_cell).unwrap_or_default());
        for column in columns() {
            out.push(',');
            match rule.get(&column.name) {
                None | Some(Json::Null) => {}
                Some(Json::String(text)) if column.kind != Kind::Other => {
                    out.push_str(&text_cell(text))
                }
                Some(value) => out.push_str(&quoted(&value.to_string())),
            }
        }
        out.push_str("\r\n");
    }
    out
}

/// The rules of a file, whose columns may stand in any order.
///
/// # Errors
/// Everything that is wrong, each with its line.
pub fn parse_csv(shape: &Shape, text: &str) -> Result<Vec<Row>, Vec<RowProblem>> {
    let text = text.trim_start_matches('\u{feff}');
    let problem = |line: usize, words: String| RowProblem {
        line: Some(line),
        words,
    };
    let rows = rows(text).map_err(|line| vec![problem(line, "a quote is not closed".into())])?;
    let mut rows = rows.into_iter();
    let Some((_, titles)) = rows.next() else {
        return Err(vec![RowProblem {
            line: None,
            words: "the file is empty; its first line has the names of the columns".to_owned(),
        }]);
    };
    let known =
        |title: &String| *title == PATH || shape.columns.iter().any(|column| column.name == *title);
    let titles: Vec<String> = titles.iter().map(|title| title.trim().to_owned()).collect();
    let mut problems: Vec<RowProblem> = titles
        .iter()
        .filter(|title| !known(title))
        .take(MAX_UNKNOWN)
        .map(|title| {
            let names: Vec<&str> = shape
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .collect();
            let words = format!(
                "there is no column `{}`; the columns are {PATH}, {}",
                title.escape_debug(),
                names.join(", ")
            );
            problem(1, words)
        })
        .collect();
    let mut rules = Vec::new();
    for (line, cells) in rows {
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if cells.len() > titles.len() {
            let words = format!(
                "it has {} cells, and there are {} columns",
                cells.len(),
                titles.len()
            );
            problems.push(problem(line, words));
            continue;
        }
        match rule(shape, titles.iter().zip(&cells)) {
            Ok(rule) => rules.push(Row { line, rule }),
            Err(words) => problems.push(problem(line, words)),
        }
    }
    match problems.is_empty() {
        true => Ok(rules),
        false => Err(problems),
    }
}

fn rule<'a>(
    shape: &Shape,
    cells: impl Iterator<Item = (&'a String, &'a String)>,
) -> Result<Json, String> {
    let mut table = Map::new();
    let mut path = None;
    for (title, cell) in cells {
        let cell = cell.trim();
        if cell.is_empty() {
            continue;
        }
        if title == PATH {
            path = Some(unshielded(cell).to_owned());
            continue;
        }
        let kind = shape
            .columns
            .iter()
            .find(|column| column.name == *title)
            .map(|column| column.kind);
        let read = |what: &str| {
            serde_json::from_str::<Json>(cell)
                .map_err(|_| format!("`{}` is no {what} for {title}", cell.escape_debug()))
        };
        let value = match kind {
            None => continue,
            Some(Kind::Text) => Json::from(unshielded(cell)),
            Some(Kind::Number) => read("number").and_then(|value| match value.is_number() {
                true => Ok(value),
                false => Err(format!(
                    "`{}` is no number for {title}",
                    cell.escape_debug()
                )),
            })?,
            Some(Kind::Truth) => Json::from(
                read("truth value; write true or false,")?
                    .as_bool()
                    .unwrap_or_default(),
            ),
            // A text is also written without quotes.
            Some(Kind::Other) => read("value").unwrap_or_else(|_| Json::from(unshielded(cell))),
        };
        table.insert(title.clone(), value);
    }
    match (path, table.is_empty()) {
        (Some(path), true) => Ok(Json::from(path)),
        (Some(path), false) if shape.columns.iter().any(|column| column.name == PATH) => {
            table.insert(PATH.to_owned(), Json::from(path));
            Ok(Json::Object(table))
        }
        (Some(path), false) => Err(format!(
            "the path {path} cannot have settings of its own; leave the other cells empty"
        )),
        (None, _) => Ok(Json::Object(table)),
    }
}

/// Each row with the line that it begins at; the number of the line whose quote is never closed.
fn rows(text: &str) -> Result<Vec<(usize, Vec<String>)>, usize> {
    let mut rows = Vec::new();
    let (mut line, mut begun) = (1, 1);
    let (mut cells, mut cell, mut inside) = (Vec::new(), String::new(), false);
    // Excel writes semicolons where the comma is the decimal sign.
    let first = text.lines().next().unwrap_or_default();
    let separator = if first.contains(';') && !first.contains(',') {
        ';'
    } else {
        ','
    };
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        line += usize::from(c == '\n');
        match c {
            '"' if inside && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if inside => inside = false,
            '"' if cell.is_empty() => inside = true,
            c if inside => cell.push(c),
            c if c == separator => cells.push(std::mem::take(&mut cell)),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' => {
                cells.push(std::mem::take(&mut cell));
                rows.push((begun, std::mem::take(&mut cells)));
                begun = line;
            }
            c => cell.push(c),
        }
    }
    if inside {
        return Err(begun);
    }
    if !cell.is_empty() || !cells.is_empty() {
        cells.push(cell);
        rows.push((begun, cells));
    }
    Ok(rows)
}

fn text_cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', SHIELD]);
    match formula {
        true => quoted(&format!("{SHIELD}{text}")),
        false => quoted(text),
    }
}

fn unshielded(cell: &str) -> &str {
    match cell.strip_prefix(SHIELD) {
        Some(text) if text.starts_with(['=', '+', '-', '@', '\t', SHIELD]) => text,
        _ => cell,
    }
}

fn quoted(text: &str) -> String {
    // A semicolon is quoted for the spreadsheets that separate by it.
    if text.contains([',', ';', '"', '\n', '\r']) || text.trim() != text {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::selection::tests::shape;

    fn parsed(text: &str) -> Vec<Json> {
        let rows = parse_csv(&shape(), text).unwrap().into_iter();
        rows.map(|row| row.rule).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let rules = vec![
            json!("Objects/Line/**"),
            json!("Objects/a,b/\"DB\""),
            json!({ "path": "Objects/Line/*/Speed", "sampling_ms": 100, "deadband_percent": 1.5 }),
            json!({ "node": "nsu=urn:plant;s=Temp", "point": "temp", "sampling_ms": 100, "deadband": 0.5 }),
            json!({ "node": "i=7", "point": "=1+1" }),
            json!({ "node": "i=8", "device": "'quoted" }),
        ];
        let text = write_csv(&shape(), &rules);
        assert!(text.starts_with("path,node,"), "{text}");
        assert!(text.contains("'=1+1"), "{text}");
        assert_eq!(parsed(&text), rules);
    }

    #[test]
    fn a_file_by_hand_is_read_too() {
        for (text, expected) in [
            (
                "node,point\ni=7,a\n",
                json!([{ "node": "i=7", "point": "a" }]),
            ),
            ("\u{feff}path\r\nObjects/**\r\n\r\n", json!(["Objects/**"])),
            (
                "node;sampling_ms\ni=7;50",
                json!([{ "node": "i=7", "sampling_ms": 50 }]),
            ),
            (
                "point,node\n\"a \"\"b\"\"\",i=7",
                json!([{ "node": "i=7", "point": "a \"b\"" }]),
            ),
            ("node,point\ni=7", json!([{ "node": "i=7" }])),
        ] {
            assert_eq!(Json::from(parsed(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_of_nothing_but_unknown_columns_is_not_told_word_for_word() {
        let problems = parse_csv(&shape(), &"x,".repeat(100_000)).unwrap_err();
        assert_eq!(problems.len(), MAX_UNKNOWN);
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_line() {
        for (text, expected) in [
            ("", &[(None, "the file is empty")][..]),
            ("nod\ni=7", &[(Some(1), "there is no column `nod`")]),
            (
                "node,sampling_ms\ni=7,fast\ni=8,50\ni=9,\"7\"\"\"",
                &[(Some(2), "`fast`"), (Some(4), "")],
            ),
            ("node\n\"i=7", &[(Some(2), "a quote")]),
            ("node\ni=7,8", &[(Some(2), "it has 2 cells")]),
        ] {
            let problems = parse_csv(&shape(), text).unwrap_err();
            assert_eq!(problems.len(), expected.len(), "{problems:?}");
            for (problem, (line, lead)) in problems.iter().zip(expected) {
                assert_eq!(problem.line, *line);
                assert!(problem.words.starts_with(lead), "{problem:?} {lead}");
            }
        }
    }
}
