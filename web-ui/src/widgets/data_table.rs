//! `DataTable`: rows to search, sort and take away as CSV; its state stands in the URL. On phones its rows are cards.

use std::collections::HashMap;
use std::sync::Arc;

use fieldgate_ui_logic::place::encode;
use fieldgate_ui_logic::table::{self, Cell};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::nav::Nav;

/// More rows are shown on request.
const FIRST: usize = 200;

/// A column: its title, and whether it holds numbers.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    pub numeric: bool,
    /// A cell is drawn anew only when it has changed itself, so that what stands in it keeps the focus.
    pub steady: bool,
}

/// A row. Two rows with the same key and cells are the same; what its views show beyond the cells must keep itself fresh.
#[derive(Clone)]
pub struct Row {
    pub key: String,
    pub cells: Vec<Cell>,
    /// How a cell is shown when its text is not enough.
    pub view: Arc<dyn Fn(usize) -> Option<AnyView> + Send + Sync>,
}

/// A cell of text.
pub fn text(text: impl Into<String>) -> Cell {
    Cell {
        text: text.into(),
        number: None,
    }
}

/// A cell that sorts by its number and reads as `text`.
pub fn number(number: f64, text: impl Into<String>) -> Cell {
    Cell {
        text: text.into(),
        number: Some(number),
    }
}

pub const fn column(title: &'static str) -> Column {
    Column {
        title,
        numeric: false,
        steady: false,
    }
}

pub const fn numeric(title: &'static str) -> Column {
    Column {
        title,
        numeric: true,
        steady: false,
    }
}

/// The table; `name` names it for screen readers and its CSV file.
pub fn data_table(
    name: &'static str,
    columns: &'static [Column],
    rows: Signal<Vec<Row>>,
) -> AnyView {
    let nav = Nav::expect();
    let all = RwSignal::new(false);
    let shown = Memo::new(move |_| arranged(nav, columns, rows));
    let by_key = Memo::new(move |_| {
        rows.with(|rows| {
            rows.iter()
                .map(|row| (row.key.clone(), row.clone()))
                .collect::<HashMap<_, _>>()
        })
    });
    let visible = move || {
        let limit = if all.get() { usize::MAX } else { FIRST };
        shown.with(|keys| keys.iter().take(limit).cloned().collect::<Vec<_>>())
    };
    let hidden = move || {
        shown
            .with(Vec::len)
            .saturating_sub(if all.get() { usize::MAX } else { FIRST })
    };
    view! {
        <div class="table-tools">
            <label class="search">
                <span class="unseen">{format!("Search {name}")}</span>
                <input type="search" placeholder="Search" data-test="search" prop:value=move || nav.value("q")
                    on:input=move |event| nav.set_value("q", &event_target_value(&event))/>
            </label>
            <span class="faint" role="status">{move || format!("{} of {}", shown.with(Vec::len), rows.with(Vec::len))}</span>
            <button type="button" class="quiet" on:click=move |_| download(name, columns, rows)>"Download CSV"</button>
        </div>
        <div class="table-box" tabindex="0" role="region" aria-label=format!("Table of {name}")>
        <table role="table" aria-label=name>
            <thead role="rowgroup">
                <tr role="row">{columns.iter().map(|column| head(nav, column)).collect_view()}</tr>
            </thead>
            <tbody role="rowgroup">
                <For each=visible key=|key| key.clone()
                    children=move |key| row(columns, Memo::new(move |_| by_key.with(|rows| rows.get(&key).cloned())))/>
            </tbody>
        </table>
        </div>
        {move || shown.with(Vec::is_empty).then(|| view! { <p class="faint pad">"No row matches the search."</p> })}
        {move || (hidden() > 0).then(|| view! {
            <button type="button" class="quiet" on:click=move |_| all.set(true)>{format!("Show {} more", hidden())}</button>
        })}
    }
    .into_any()
}

fn row(columns: &'static [Column], row: Memo<Option<Row>>) -> AnyView {
    let cells = columns.iter().enumerate().map(|(index, column)| {
        let of = move |row: &Option<Row>| {
            let row = row.as_ref()?;
            (row.view)(index).or_else(|| Some(row.cells.get(index)?.text.clone().into_any()))
        };
        let own = column.steady.then(|| {
            let own = move |row: &Option<Row>| Some(row.as_ref()?.cells.get(index)?.clone());
            Memo::new(move |_| row.with(own))
        });
        let cell = move || match own {
            Some(own) => {
                // Read, not only tracked: a memo that nobody reads follows nothing.
                own.with(|_| ());
                row.with_untracked(of)
            }
            None => row.with(of),
        };
        let class = column.numeric.then_some("num");
        if index == 0 {
            view! { <th role="rowheader" scope="row" data-label=column.title class=class>{cell}</th> }.into_any()
        } else {
            view! { <td role="cell" data-label=column.title class=class>{cell}</td> }.into_any()
        }
    });
    view! { <tr role="row">{cells.collect_view()}</tr> }.into_any()
}

/// A column's title, which sorts by it: up, then down.
fn head(nav: Nav, column: &'static Column) -> AnyView {
    let title = column.title;
    let order = move || match (nav.value("sort") == title, nav.value("order").as_str()) {
        (false, _) => "none",
        (true, "down") => "descending",
        (true, _) => "ascending",
    };
    let click = move |_| {
        let down = order() == "ascending";
        nav.set_value("sort", title);
        nav.set_value("order", if down { "down" } else { "" });
    };
    let arrow = move || match order() {
        "ascending" => " ▲",
        "descending" => " ▼",
        _ => "",
    };
    view! {
        <th role="columnheader" scope="col" aria-sort=order class=column.numeric.then_some("num")>
            <button type="button" class="sort" on:click=click>{title}<span aria-hidden="true">{arrow}</span></button>
        </th>
    }
    .into_any()
}

fn arranged(nav: Nav, columns: &[Column], rows: Signal<Vec<Row>>) -> Vec<String> {
    let sort = nav.value("sort");
    let column = columns.iter().position(|column| column.title == sort);
    let down = nav.value("order") == "down";
    rows.with(|rows| {
        table::arrange(
            rows.iter().map(|row| row.cells.as_slice()),
            &nav.value("q"),
            column,
            down,
        )
        .into_iter()
        .map(|index| rows[index].key.clone())
        .collect()
    })
}

fn download(name: &str, columns: &[Column], rows: Signal<Vec<Row>>) {
    let titles: Vec<&str> = columns.iter().map(|column| column.title).collect();
    let csv = rows
        .with_untracked(|rows| table::csv(&titles, rows.iter().map(|row| row.cells.as_slice())));
    let Ok(link) = document().create_element("a") else {
        return;
    };
    let set = link
        .set_attribute(
            "href",
            &format!("data:text/csv;charset=utf-8,{}", encode(&csv)),
        )
        .and_then(|()| link.set_attribute("download", &format!("{name}.csv")));
    if let (Ok(()), Ok(link)) = (set, link.dyn_into::<HtmlElement>()) {
        link.click();
    }
}

// === impl Column ===

impl Column {
    /// Its cells are steady.
    pub const fn steady(self) -> Self {
        Self {
            steady: true,
            ..self
        }
    }
}

// === impl Row ===

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.cells == other.cells
    }
}
