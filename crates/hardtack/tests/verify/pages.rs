//! The pages in a real browser, at the width of a phone.

use std::fs;
use std::process::Command;

use crate::Bench;

/// A phone's width in CSS pixels. A window of headless Chromium is wider, so the page is looked at in a frame.
const WIDTH: usize = 390;

/// What Chromium makes of `page`: the width of its content and of its view, how much it loaded, what the console said.
fn measure(bench: &Bench, name: &str, page: &str) -> (usize, usize, usize, Vec<String>) {
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    let around = format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><body><iframe style=\"width:{WIDTH}px;height:844px;border:0\" \
         srcdoc=\"{page}\"></iframe><script>addEventListener('load', () => {{\
         const frame = document.querySelector('iframe'), root = frame.contentDocument.documentElement;\
         root.querySelectorAll('details').forEach(one => one.open = true);\
         const loaded = frame.contentWindow.performance.getEntriesByType('resource').length;\
         document.body.dataset.found = [root.scrollWidth, root.clientWidth, loaded].join(' ');}})</script>"
    );
    let path = bench.path(name);
    fs::write(&path, around).unwrap();
    let ran = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
        .args(["--no-first-run", "--disable-background-networking", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", bench.path("profile").display()))
        .arg(format!("file://{}", path.display()))
        .output()
        .unwrap();
    let (dom, log) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let found = dom.split_once("data-found=\"").and_then(|(_, rest)| rest.split_once('"'));
    let found = found.unwrap_or_else(|| panic!("{name}: nothing was measured: {log}")).0;
    let numbers: Vec<usize> = found.split(' ').map(|number| number.parse().unwrap()).collect();
    let said = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    (numbers[0], numbers[1], numbers[2], said)
}

#[test]
fn pages_fit_a_phone_load_nothing_and_make_no_errors() {
    if Command::new("chromium").arg("--version").output().is_err() {
        eprintln!("SKIPPED: chromium is not installed");
        return;
    }
    let Some(bench) = Bench::new() else { return };
    bench.text(1, &["verify", "r.yaml", "a.img", "--format", "html", "--output", "verify.html"]);
    bench.text(0, &["plan", "r.yaml", "a.img", "--html", "plan.html"]);
    for name in ["verify.html", "plan.html"] {
        let page = fs::read_to_string(bench.path(name)).unwrap();
        let (content, view, loaded, said) = measure(&bench, &format!("around-{name}"), &page);
        assert_eq!(view, WIDTH, "{name}");
        assert!(content <= view, "{name}: {content} pixels");
        assert_eq!(loaded, 0, "{name}");
        assert!(said.is_empty(), "{name}: {said:?}");
    }
    // The same eyes see what is wrong.
    let page = fs::read_to_string(bench.path("verify.html")).unwrap();
    let wrong = "<div style=\"width:900px\">x</div><img src=\"http://127.0.0.1:9/x.png\"></body>";
    let (content, view, _, said) = measure(&bench, "wrong.html", &page.replace("</body>", wrong));
    assert!(content > view, "{content} pixels");
    assert!(!said.is_empty(), "the policy of the page refuses images");
}
