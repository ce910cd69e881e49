//! One server in one environment, as a table of the page.

use std::fmt::Write as _;

use super::super::table::{Clause, ColumnKind, ItemKind, Row, Section, Who};
use super::super::words;
use super::{Escaped, Index};
use crate::policy::model::Trait;

pub(super) fn render(page: &mut String, number: usize, section: &Section, index: &Index<'_>) {
    let Section { server, title, environment, columns: _, rows, notes } = section;
    let _ = write!(
        page,
        "<section data-server=\"{}\"><h2 id=\"h{number}\">{}\
         <span class=\"env\">@{}</span>",
        Escaped(server),
        Escaped(server),
        Escaped(environment)
    );
    if let Some(title) = title {
        let _ = write!(page, "<small>{}</small>", Escaped(title));
    }
    // Tables may be wider than the page; what scrolls can be reached by keyboard.
    let _ = write!(
        page,
        "</h2>\n<div class=\"scroll\" role=\"group\" aria-labelledby=\"h{number}\" tabindex=\"0\">\
         <table role=\"table\"><caption class=\"sr\">Who may use what on {} in {}</caption>\n\
         <thead role=\"rowgroup\"><tr role=\"row\"><th scope=\"col\" role=\"columnheader\">Item</th>\
         <th scope=\"col\" role=\"columnheader\">Effect</th>",
        Escaped(server),
        Escaped(environment)
    );
    let (busy, idle) = section.busy();
    let mut places = Vec::new();
    for (at, column) in busy {
        let id = index.places.get(column.name.as_str()).map_or(0, |(id, _)| *id);
        let kind = match column.kind {
            ColumnKind::Service => " <i>service</i>",
            ColumnKind::Surface | ColumnKind::Channel => "",
        };
        let _ = write!(
            page,
            "<th scope=\"col\" role=\"columnheader\" data-p=\"{id}\">{}{kind}</th>",
            Escaped(&column.name)
        );
        places.push((at, id, column.name.as_str()));
    }
    page.push_str("</tr></thead>\n<tbody role=\"rowgroup\">\n");
    for row in rows {
        render_row(page, row, &places, index);
    }
    page.push_str("</tbody></table></div>\n");
    if !idle.is_empty() {
        let _ = writeln!(page, "<p class=\"note\">Nobody from {}.</p>", Escaped(&idle.join(", ")));
    }
    for note in notes {
        let _ = writeln!(page, "<p class=\"note warn\">{}</p>", Escaped(note));
    }
    page.push_str("</section>\n");
}

fn render_row(page: &mut String, row: &Row, places: &[(usize, usize, &str)], index: &Index<'_>) {
    let Row { name, kind, effect, traits, limited, approval, cells: _ } = row;
    let effect = effect.map(words::effect);
    let sensitive = traits.contains(&Trait::Sensitive);
    let nobody = places.iter().all(|(at, _, _)| row.clauses(*at).is_empty());
    let _ = write!(
        page,
        "<tr role=\"row\" data-e=\"{}\" data-s=\"{}\"{}><th scope=\"row\" role=\"rowheader\">\
         <span class=\"name{}\">{}</span>",
        effect.unwrap_or_default(),
        u8::from(sensitive),
        if nobody { " class=\"nobody\"" } else { "" },
        if *kind == ItemKind::Looking { " looking" } else { "" },
        Escaped(name)
    );
    match kind {
        ItemKind::Resource | ItemKind::Prompt => {
            let _ = write!(page, " <i>{}</i>", words::kind(*kind));
        }
        ItemKind::Tool | ItemKind::Looking => {}
    }
    page.push_str("</th><td role=\"cell\" class=\"about\">");
    let marks = effect.into_iter().chain(traits.iter().map(|found| words::quality(*found)));
    for word in marks {
        pill(page, word, word);
    }
    if *limited {
        pill(page, "limits", "limits");
    }
    if let Some(approval) = approval {
        pill(page, "approval", &format!("approval: {}", words::approval(approval)));
    }
    page.push_str("</td>");
    for (at, place, label) in places {
        let clauses = row.clauses(*at);
        let class = if clauses.is_empty() { " class=\"n\"" } else { "" };
        let _ = write!(
            page,
            "<td role=\"cell\"{class} data-p=\"{place}\" data-l=\"{}\">",
            Escaped(label)
        );
        if clauses.is_empty() {
            page.push_str("<span class=\"sr\">nobody</span>");
        }
        for one in clauses {
            clause(page, one, index);
        }
        page.push_str("</td>");
    }
    page.push_str("</tr>\n");
}

fn pill(page: &mut String, class: &str, text: &str) {
    let _ = write!(page, "<span class=\"p {class}\">{}</span> ", Escaped(text));
}

fn clause(page: &mut String, clause: &Clause, index: &Index<'_>) {
    let Clause { who, also_in, not, not_users: _, scopes, limits, until, unknown_groups, remarks } =
        clause;
    // Who gains by being in a group: who is named, or anybody whom the clause does not leave out.
    let reach = match who {
        Who::Groups(groups) => index.numbers(groups.iter().chain(also_in)),
        Who::Anyone if also_in.is_empty() => "*".to_owned(),
        Who::Anyone | Who::Users(_) => index.numbers(also_in.iter()),
        Who::NobodySignedIn => String::new(),
    };
    let left_out = index.numbers(not.iter());
    let _ = write!(page, "<p class=\"c\" data-g=\"{reach}\" data-x=\"{left_out}\">");
    match who {
        Who::Groups(names) => chips(page, "g", names),
        Who::Users(names) => {
            page.push_str("<span class=\"and\">user</span> ");
            chips(page, "u", names);
        }
        Who::Anyone => page.push_str("<span class=\"all\">anyone signed in</span>"),
        Who::NobodySignedIn => page.push_str("<span class=\"yes\">yes</span>"),
    }
    if !also_in.is_empty() {
        page.push_str(" <span class=\"and\">and</span> ");
        chips(page, "g", also_in);
    }
    for scope in scopes {
        condition(page, "if", &format!("with scope:{scope}"));
    }
    if let Some(left_out) = words::left_out(clause) {
        condition(page, "if not", &left_out);
    }
    for limit in limits {
        condition(page, "if", &format!("only {limit}"));
    }
    if let Some(words) = words::known_groups(who, also_in, *unknown_groups) {
        condition(page, "if", &words);
    }
    for remark in remarks {
        condition(page, "if", remark);
    }
    if let Some(until) = until {
        condition(page, "if", &words::ends(*until));
    }
    page.push_str("</p>");
}

fn condition(page: &mut String, class: &str, text: &str) {
    let _ = write!(page, " <span class=\"{class}\">{}</span>", Escaped(text));
}

/// Alternatives: side by side for the eye, with "or" between them for whoever hears or copies.
fn chips(page: &mut String, class: &str, names: &[String]) {
    for (index, name) in names.iter().enumerate() {
        let or = if index > 0 { "<span class=\"sr\"> or </span>" } else { "" };
        let _ = write!(page, "{or}<span class=\"{class}\">{}</span>", Escaped(name));
    }
}
