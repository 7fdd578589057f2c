#![allow(clippy::unwrap_used)]

use serde_json::Value;

use super::*;

/// What a hostile image calls its files.
const HOSTILE: &str = "/a]]><x y=\"'&amp;\u{1b}[31m\u{202e}txt.\u{0}\u{7f}\u{9b}\u{ffff}\u{2028}{0} [x](javascript:a) \\ </script>\n<b>";

fn control(id: &str, outcome: Outcome) -> Control {
    Control {
        id: id.to_owned(),
        title: format!("{id} holds"),
        outcome,
        why: if outcome == Outcome::Pass {
            String::new()
        } else {
            "/etc/x: mode 0644, wanted 0600".to_owned()
        },
        places: vec![Place { path: "/etc/x y".to_owned(), line: Some(3) }],
        help: "run hardtack build".to_owned(),
    }
}

fn verdict(controls: Vec<Control>) -> Verdict {
    Verdict {
        version: "0.1.0".to_owned(),
        image: "base.qcow2".to_owned(),
        against: "recipe.yaml".to_owned(),
        controls,
        notes: Vec::new(),
    }
}

fn hostile() -> Verdict {
    let control = |outcome| Control {
        id: format!("files/1 write {HOSTILE}"),
        title: HOSTILE.to_owned(),
        outcome,
        why: HOSTILE.to_owned(),
        places: vec![Place::file(HOSTILE)],
        help: HOSTILE.to_owned(),
    };
    Verdict {
        version: "0.1.0".to_owned(),
        image: HOSTILE.to_owned(),
        against: HOSTILE.to_owned(),
        controls: [Outcome::Fail, Outcome::NotApplicable, Outcome::Pass].map(control).to_vec(),
        notes: vec![HOSTILE.to_owned()],
    }
}

fn harmless(text: &str) {
    for character in ['\u{1b}', '\u{202e}', '\u{0}', '\u{7f}', '\u{9b}', '\u{ffff}', '\u{2028}'] {
        assert!(!text.contains(character), "{character:?} in {text:?}");
    }
}

#[test]
fn a_line_for_each_and_the_sum() {
    let verdict = verdict(vec![
        control("files/1 write /etc/x", Outcome::Fail),
        control("sshd/1 X", Outcome::Pass),
        control("user/a", Outcome::NotApplicable),
    ]);
    assert_eq!(
        verdict.to_text(Look::default()),
        "FAIL  files/1 write /etc/x\n      wanted: files/1 write /etc/x holds\n      /etc/x y:3: /etc/x: mode 0644, wanted 0600\n\
         pass  sshd/1 X\nn/a   user/a\n      /etc/x: mode 0644, wanted 0600\n\
         → run hardtack build\nbase.qcow2: 1 failed, 1 passed, 1 not applicable\n"
    );
    assert!(
        verdict.to_text(Look { width: 80, color: true }).starts_with("\u{1b}[1;31mFAIL\u{1b}[0m  files/1")
    );
}

#[test]
fn text_fits_its_columns_and_hides_nothing_but_harm() {
    let mut verdict = hostile();
    verdict.controls[0].why = "word ".repeat(100) + &"x".repeat(300);
    let text = verdict.to_text(Look::default());
    harmless(&text);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("\\u{202e}") && text.contains("\\u{1b}[31m"), "{text}");
}

#[test]
fn json_keeps_names_as_they_are() {
    let json: Value = serde_json::from_str(&hostile().to_json()).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["passed"], false);
    assert_eq!(json["counts"]["not-applicable"], 1);
    assert_eq!(json["controls"][0]["where"][0]["path"], HOSTILE);
    assert_eq!(json["controls"][1]["outcome"], "not-applicable");
}

#[test]
fn junit_is_well_formed_whatever_names_hold() {
    let xml = hostile().to_junit();
    harmless(&xml);
    assert!(!xml.contains("]]>"), "{xml}");
    let mut reader = quick_xml::Reader::from_str(&xml);
    reader.config_mut().check_end_names = true;
    let (mut cases, mut failures) = (0, 0);
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                assert!(tag.attributes().all(|attribute| attribute.unwrap().unescape_value().is_ok()));
                cases += usize::from(tag.name().as_ref() == b"testcase");
                failures += usize::from(tag.name().as_ref() == b"failure");
                assert_ne!(tag.name().as_ref(), b"x");
            }
            _ => {}
        }
    }
    assert_eq!((cases, failures), (3, 1));
}

#[test]
fn sarif_names_places_that_are_uris() {
    let sarif: Value = serde_json::from_str(&hostile().to_sarif()).unwrap();
    harmless(&hostile().to_sarif());
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    let place = &results[0]["locations"][0]["physicalLocation"];
    let uri = place["artifactLocation"]["uri"].as_str().unwrap();
    assert!(uri.starts_with("a%5D%5D%3E%3Cx%20y"), "{uri}");
    assert!(uri.is_ascii() && !uri.contains([' ', '"', '<', '\\', '{']), "{uri}");
    let said = results[0]["message"]["text"].as_str().unwrap();
    assert!(said.contains("{{0}} \\[x\\](javascript:a) \\\\"), "{said}");
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][0]["id"], results[0]["ruleId"]);
}

#[test]
fn fingerprints_outlive_moves_and_other_reasons() {
    let prints = |verdict: &Verdict| -> Vec<String> {
        let sarif: Value = serde_json::from_str(&verdict.to_sarif()).unwrap();
        let results = sarif["runs"][0]["results"].as_array().unwrap().clone();
        let print =
            |result: &Value| result["partialFingerprints"]["hardtackControl/v1"].as_str().unwrap().to_owned();
        results.iter().map(print).collect()
    };
    let with = |id: &str, why: &str| Control {
        title: "/etc/motd is as written".to_owned(),
        why: why.to_owned(),
        ..control(id, Outcome::Fail)
    };
    let before = prints(&verdict(vec![with("files/1 write /etc/motd", "a")]));
    let after =
        prints(&verdict(vec![with("files/2 write /etc/motd", "b"), with("files/3 write /etc/motd", "b")]));
    assert_eq!(before[0], after[0]);
    assert_ne!(after[0], after[1]);
}

#[test]
fn people_are_told_where() {
    let failed = |why: &str, places: Vec<Place>| {
        let one = Control { why: why.to_owned(), places, ..control("cis-1/x", Outcome::Fail) };
        verdict(vec![one]).to_text(Look::default())
    };
    let at = |line| Place { path: "/etc/x".to_owned(), line };
    let each = failed("is 0, not 1\nis 2, not 3", vec![at(Some(7)), at(None)]);
    assert!(
        each.contains(
            "      wanted: cis-1/x holds\n      /etc/x:7: is 0, not 1\n      /etc/x: is 2, not 3\n"
        ),
        "{each}"
    );
    // A fact that names its place already does not name it twice.
    let named = failed("/etc/x:7: is 0, not 1", vec![at(Some(7))]);
    assert!(named.contains("      /etc/x:7: is 0, not 1\n"), "{named}");
    let fewer = failed("two files differ", vec![at(Some(7)), Place::file("/etc/y")]);
    assert!(fewer.contains("      two files differ\n      at /etc/x:7\n      at /etc/y\n"), "{fewer}");
}

#[test]
fn github_gets_no_more_than_it_takes() {
    let mut one = control("x", Outcome::Fail);
    one.places = (0..2000).map(|number| Place::file(format!("/{number}"))).collect();
    let all =
        (0..25_002).map(|number| Control { id: format!("files/{number} x"), ..control("x", Outcome::Fail) });
    let sarif: Value =
        serde_json::from_str(&verdict([one].into_iter().chain(all).collect()).to_sarif()).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 25_000);
    assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 25_000);
    assert!(run["results"][0]["locations"].as_array().unwrap().len() <= 1000);
    let told = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert_eq!(told, "3 more failed and are not told here");
}

#[test]
fn pages_escape_everything() {
    let fact = Fact { name: HOSTILE.to_owned(), text: HOSTILE.to_owned() };
    let page = PlanPage {
        version: HOSTILE.to_owned(),
        image: HOSTILE.to_owned(),
        recipe: HOSTILE.to_owned(),
        disk: vec![HOSTILE.to_owned()],
        packages: vec![fact.clone()],
        tasks: vec![fact],
        entries: vec![Entry {
            op: "write".to_owned(),
            path: HOSTILE.to_owned(),
            detail: HOSTILE.to_owned(),
            step: HOSTILE.to_owned(),
            difference: format!("+{HOSTILE}\n-{HOSTILE}\n").repeat(20),
        }],
        notes: vec![HOSTILE.to_owned()],
    };
    for html in [page.to_html(), hostile().to_html()] {
        harmless(&html);
        for harm in ["<x", "<b>", "<script", "</script", "href", "src="] {
            let html = html.replace("default-src 'none'", "").replace("style-src ", "");
            assert!(!html.contains(harm), "{harm}: {html}");
        }
    }
    assert!(page.to_html().contains("<details><summary>difference: "));
}
