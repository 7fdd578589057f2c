//! Pages that need nothing but themselves: no network, no script, light and dark, a phone's width.

use crate::visible::{one_line, visible};
use crate::{Control, Entry, Fact, Outcome, PlanPage, Verdict};

/// A difference of more lines is folded.
const FOLDED: usize = 12;

const STYLE: &str = "\
:root{color-scheme:light dark;--fg:#1b1f24;--bg:#fff;--dim:#57606a;--line:#d0d7de;--box:#f6f8fa;\
--good:#116329;--bad:#a40e26;--add:#dafbe1;--del:#ffebe9}\
@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--bg:#0d1117;--dim:#9198a1;--line:#3d444d;\
--box:#151b23;--good:#56d364;--bad:#ff7b72;--add:#12341d;--del:#471a1d}}\
*{box-sizing:border-box}\
body{margin:0 auto;padding:1rem;max-width:60rem;font:1rem/1.45 system-ui,sans-serif;color:var(--fg);\
background:var(--bg);overflow-wrap:anywhere}\
h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}\
p{margin:.3rem 0}ul{list-style:none;margin:0;padding:0}\
li{border-top:1px solid var(--line);padding:.5rem 0}\
.dim{color:var(--dim)}.pass{color:var(--good)}.fail{color:var(--bad)}\
.tag{display:inline-block;min-width:3.2rem;font-weight:600}\
code,pre{font:.85rem/1.4 ui-monospace,monospace;unicode-bidi:isolate}\
pre{margin:.4rem 0 0;padding:.5rem;background:var(--box);border:1px solid var(--line);border-radius:4px;\
white-space:pre-wrap;max-width:100%}\
ins,del{text-decoration:none;display:block}ins{background:var(--add)}del{background:var(--del)}\
summary{cursor:pointer}";

pub(crate) fn verdict(verdict: &Verdict) -> String {
    let counts = verdict.counts();
    let (class, word) = match (verdict.controls.is_empty(), verdict.passed()) {
        (true, _) => ("dim", "Nothing to look at"),
        (_, true) => ("pass", "As it should be"),
        (_, false) => ("fail", "Not as it should be"),
    };
    let mut body = format!(
        "<h1 class=\"{class}\">{word}</h1>\n<p><code>{}</code> against <code>{}</code></p>\n\
         <p>{} failed, {} passed{}, {} not applicable</p>\n",
        line(&verdict.image),
        line(&verdict.against),
        counts.fail,
        counts.pass,
        match (counts.exception, counts.first_boot) {
            (0, 0) => String::new(),
            (left, boot) => format!(", {left} left alone on purpose, {boot} left to the first boot"),
        },
        counts.not_applicable
    );
    for (title, outcome) in [
        ("Failed", Outcome::Fail),
        ("Left alone on purpose", Outcome::Exception),
        ("Left to the first boot", Outcome::FirstBoot),
        ("Not applicable", Outcome::NotApplicable),
        ("Passed", Outcome::Pass),
    ] {
        let of: Vec<&Control> =
            verdict.controls.iter().filter(|control| control.outcome == outcome).collect();
        if !of.is_empty() {
            let items: String = of.iter().map(|one| control(one)).collect();
            body.push_str(&format!("<h2>{title}</h2>\n"));
            if outcome == Outcome::Fail {
                helps(&of, &mut body);
            }
            body.push_str(&format!("<ul>\n{items}</ul>\n"));
        }
    }
    notes(&verdict.notes, &mut body);
    page(&format!("{}: {word}", one_line(&verdict.image)), &verdict.version, &body)
}

fn control(control: &Control) -> String {
    let class = match control.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::NotApplicable | Outcome::Exception | Outcome::FirstBoot => "dim",
    };
    let mut item = format!(
        "<li><span class=\"tag {class}\">{}</span> <code>{}</code>\n<p>{}</p>\n",
        control.outcome.word(),
        line(&control.id),
        text(&control.title)
    );
    if !control.why.is_empty() {
        folded("why", &control.why, text(&control.why), &mut item);
    }
    item.push_str("</li>\n");
    item
}

/// What helps against several is told once.
fn helps(failed: &[&Control], body: &mut String) {
    let mut told: Vec<&str> = Vec::new();
    for control in failed {
        if !control.help.is_empty() && !told.contains(&control.help.as_str()) {
            told.push(&control.help);
            body.push_str(&format!("<p class=\"dim\">{}</p>\n", text(&control.help)));
        }
    }
}

pub(crate) fn plan(plan: &PlanPage) -> String {
    let mut body = format!(
        "<h1>What would change</h1>\n<p><code>{}</code> by <code>{}</code></p>\n<p>{}</p>\n",
        line(&plan.image),
        line(&plan.recipe),
        match plan.entries.len() {
            0 if plan.disk.is_empty() => "Nothing: the image is as the recipe says.".to_owned(),
            1 => "1 change".to_owned(),
            number => format!("{number} changes"),
        }
    );
    notes(&plan.notes, &mut body);
    if !plan.disk.is_empty() {
        let items: String = plan.disk.iter().map(|fact| format!("<li>{}</li>\n", text(fact))).collect();
        body.push_str(&format!("<h2>Disk</h2>\n<ul>\n{items}</ul>\n"));
    }
    facts("Packages", &plan.packages, &mut body);
    facts("At first boot", &plan.tasks, &mut body);
    if !plan.entries.is_empty() {
        let items: String = plan.entries.iter().map(entry).collect();
        body.push_str(&format!("<h2>Changes</h2>\n<ul>\n{items}</ul>\n"));
    }
    page(&format!("Plan for {}", one_line(&plan.image)), &plan.version, &body)
}

fn entry(entry: &Entry) -> String {
    let detail = match entry.detail.is_empty() {
        true => String::new(),
        false => format!("{} ", line(&entry.detail)),
    };
    let mut item = format!(
        "<li><span class=\"tag\">{}</span> <code>{}</code> <span class=\"dim\">{detail}[{}]</span>\n",
        line(&entry.op),
        line(&entry.path),
        line(&entry.step)
    );
    if !entry.difference.is_empty() {
        let rows: String = entry.difference.lines().map(difference_line).collect();
        folded("difference", &entry.difference, rows, &mut item);
    }
    item.push_str("</li>\n");
    item
}

fn difference_line(row: &str) -> String {
    let shown = text(row);
    match row.as_bytes().first() {
        Some(b'+') => format!("<ins>{shown}</ins>"),
        Some(b'-') => format!("<del>{shown}</del>"),
        _ => shown + "\n",
    }
}

/// `shown`, which is `raw` as HTML, behind a click where it is long.
fn folded(what: &str, raw: &str, shown: String, out: &mut String) {
    let lines = raw.lines().count();
    if lines > FOLDED {
        out.push_str(&format!(
            "<details><summary>{what}: {lines} lines</summary><pre>{shown}</pre></details>\n"
        ));
    } else {
        out.push_str(&format!("<pre>{shown}</pre>\n"));
    }
}

fn facts(title: &str, facts: &[Fact], body: &mut String) {
    if facts.is_empty() {
        return;
    }
    body.push_str(&format!("<h2>{title}</h2>\n<ul>\n"));
    for fact in facts {
        body.push_str(&format!("<li><code>{}</code>\n", line(&fact.name)));
        if fact.text.lines().count() > 1 {
            folded("text", &fact.text, text(&fact.text), body);
        } else {
            body.push_str(&format!("<p>{}</p>\n", text(&fact.text)));
        }
        body.push_str("</li>\n");
    }
    body.push_str("</ul>\n");
}

fn notes(notes: &[String], body: &mut String) {
    if notes.is_empty() {
        return;
    }
    let items: String = notes.iter().map(|note| format!("<li>{}</li>\n", text(note))).collect();
    body.push_str(&format!("<h2>Notes</h2>\n<ul>\n{items}</ul>\n"));
}

fn page(title: &str, version: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\
         <p class=\"dim\">hardtack {}</p>\n</body>\n</html>\n",
        line(title),
        line(version)
    )
}

fn text(raw: &str) -> String {
    escaped(&visible(raw))
}

fn line(raw: &str) -> String {
    escaped(&one_line(raw))
}

fn escaped(shown: &str) -> String {
    shown
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
