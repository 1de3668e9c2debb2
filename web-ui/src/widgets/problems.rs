//! All that is wrong with settings, on top of the form, each with a link to its field.

use fieldgate_api::trouble::ConfigProblem;
use fieldgate_ui_logic::form::field_id;
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use super::icon::{Icon, icon};
use super::schema_form::Form;
use crate::nav::focus;

/// The element that takes the focus when a save or a test was refused.
pub const ID: &str = "problems";

/// The list; nothing when all is well.
pub fn problem_list(form: Form, own_item: String) -> AnyView {
    (move || {
        let problems = form.problems.get();
        (!problems.is_empty()).then(|| {
            let title = format!(
                "{} to correct",
                words::counted(problems.len() as u64, "thing")
            );
            let items: Vec<AnyView> = problems
                .iter()
                .map(|problem| line(form, problem, &own_item))
                .collect();
            view! {
                <div class="note bad" id=ID tabindex="-1" role="alert" data-test="problems">
                    {icon(Icon::Bad)}
                    <div><p><strong>{title}</strong></p><ul>{items}</ul></div>
                </div>
            }
        })
    })
    .into_any()
}

fn line(form: Form, problem: &ConfigProblem, own_item: &str) -> AnyView {
    let words = sentence(problem);
    let foreign = !problem.item.is_empty() && problem.item != own_item;
    let path = form.anchor(problem);
    if foreign || path.is_empty() {
        let place = if foreign {
            format!("{}: ", problem.item)
        } else {
            String::new()
        };
        let keys = if problem.path.is_empty() {
            String::new()
        } else {
            format!("{}: ", problem.path.join("."))
        };
        return view! { <li>{place}{keys}{words}</li> }.into_any();
    }
    let (id, label) = (field_id(&path), path.join("."));
    let url = format!("#{id}");
    let click = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        focus(&id);
    };
    view! { <li><a href=url on:click=click>{label}</a>": "{words}</li> }.into_any()
}

/// What is wrong, and what to do.
pub fn sentence(problem: &ConfigProblem) -> String {
    let what = words::plain(&problem.what);
    if problem.remedy.is_empty() {
        format!("{what}.")
    } else {
        format!("{what}; {}.", words::plain(&problem.remedy))
    }
}
