//! Pictures of lines.

use hardtack_yaml::{Diagnostic, Document, Limits, Span, render, render_masked};

fn span(text: &str, part: &str) -> Span {
    let start = text.find(part).unwrap();
    let before = &text[..start];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    Span { start, end: start + part.len(), line, column }
}

#[test]
fn shows_the_line_the_place_and_the_hint() {
    let text = "recipe: 1\nsteps:\n  - mfa: {user: [debian]}\n";
    let error = Diagnostic::error("r.yaml", span(text, "user"), "unknown key `user`")
        .with_hint("did you mean `users`?");
    let wanted = "\
error: unknown key `user`
 --> r.yaml:3:11
  |
3 |   - mfa: {user: [debian]}
  |           ^^^^
  = hint: did you mean `users`?
";
    assert_eq!(render(text, &[error]), wanted);
}

#[test]
fn sorts_by_position_and_shows_other_places() {
    let text = "a: 1\nb: 2\na: 3\n";
    let mut again = span(text, "a: 3");
    again.end = again.start + 1;
    let twice = Diagnostic::error("x", again, "`a` twice")
        .with_related(Span { start: 0, end: 1, line: 1, column: 1 }, "first here");
    let b = Diagnostic::warning("x", span(text, "2"), "two");
    let picture = render(text, &[twice, b]);
    let order: Vec<_> = picture.lines().filter(|line| line.contains(": ") && !line.contains('|')).collect();
    assert_eq!(order, ["warning: two", "error: `a` twice", "  = note: first here"], "{picture}");
}

#[test]
fn hostile_text_is_escaped_and_stays_within_a_hundred_columns() {
    let line = format!("key: \u{1b}[31mred\u{202e}evil\t{}", "漢字\u{7f}".repeat(200));
    let text = format!("x: 1\n{line}\n");
    for part in ["red", "evil", "key", "漢字\u{7f}漢字"] {
        let message = format!("strange \u{1b}]0;title\u{7} {}", "word\u{9b}".repeat(50));
        let error = Diagnostic::error("a/".repeat(90) + "\u{1b}x.yaml", span(&text, part), message)
            .with_hint("lorem ipsum ".repeat(30));
        let picture = render(&text, &[error]);
        assert!(!picture.chars().any(|c| c.is_control() && c != '\n'), "{picture:?}");
        assert!(!picture.contains('\u{202e}'));
        for line in picture.lines() {
            let wide: usize =
                line.chars().map(|c| if ('\u{4e00}'..='\u{9fff}').contains(&c) { 2 } else { 1 }).sum();
            assert!(wide <= 100, "{wide}: {line}");
        }
        assert!(picture.contains('^'), "{picture}");
    }
}

#[test]
fn carets_stand_under_what_they_mean() {
    let text = "ü: [漢, bad]\n";
    let picture = render(text, &[Diagnostic::error("x", span(text, "bad"), "no")]);
    let lines: Vec<_> = picture.lines().collect();
    // One column for the ideograph more than characters.
    assert_eq!(lines[3], "1 | ü: [漢, bad]");
    assert_eq!(lines[4], "  |         ^^^");
    let long = format!("{}: bad # {}", "k".repeat(500), "c".repeat(500));
    let picture = render(&long, &[Diagnostic::error("x", span(&long, "bad"), "no")]);
    let lines: Vec<_> = picture.lines().collect();
    let at = lines[4].find('^').unwrap();
    assert_eq!(&lines[3][at..at + 3], "bad", "{picture}");
}

#[test]
fn masks_hide_a_part_of_the_line() {
    let text = "pass: canary, dev: x\n";
    let masks = [span(text, "canary").range()];
    for part in ["canary", "dev", "pass"] {
        let picture = render_masked(text, &[Diagnostic::error("x", span(text, part), "no")], &masks);
        assert!(!picture.contains("canary") && picture.contains("pass: <redacted>, dev: x"), "{picture}");
    }
    let picture = render_masked(text, &[Diagnostic::error("x", span(text, "dev"), "no")], &masks);
    let lines: Vec<_> = picture.lines().collect();
    assert_eq!(lines[4].find('^'), lines[3].find("dev"), "{picture}");
}

#[test]
fn spans_of_parsed_values_are_their_text() {
    let text = "\u{feff}# ü\na: plain text   # comment\r\nb: [x, 'q r', \"s\\n\"]\nc: |\n  block\n  text\nd: {e: f}\n";
    let root = Document::parse("x", text, Limits::default()).unwrap();
    let part = |span: Span| &text[span.range()];
    assert_eq!(part(root.get("a").unwrap().span), "plain text");
    let items = root.get("b").unwrap().as_sequence().unwrap();
    assert_eq!(items.iter().map(|item| part(item.span)).collect::<Vec<_>>(), ["x", "'q r'", "\"s\\n\""]);
    let block = root.get("c").unwrap();
    assert_eq!((block.span.line, block.span.column), (4, 4));
    assert_eq!(part(block.span), "|\n  block\n  text");
    assert_eq!(block.text(), Some("block\ntext\n"));
    assert_eq!(part(root.get("d").unwrap().span), "{e: f}");
    let e = &root.get("d").unwrap().as_mapping().unwrap()[0].0;
    assert_eq!((e.span.line, e.span.column), (7, 5));
}

#[test]
fn hints_fit_what_was_found() {
    for (text, wanted) in [
        ("match: \"(\\d)\"\n", "starts an escape"),
        ("a: 1\nname: \"abc\nb: 1\n", "apostrophe"),
        ("a: \"unterminated", "apostrophe"),
        ("a: 1\n b: 2\n", "indented too far"),
        ("hostname web\nusers: []\n", "missing above"),
        ("a: b: c\n", "needs quotes"),
        ("a: 'it's'\n", "single quotes twice"),
        ("a: \"${file(\"x\")}\"\n", "is written `\\\""),
        ("a: \"x\" y\n", "all of the value into the quotes"),
        ("users:\n  - name: bob\n   shell: x\n", "check the indentation"),
        ("a: [1, 2\nb: 3\n", "a bracket or a comma is missing"),
        ("a: 1\nlonely\nb: 2\n", "is missing"),
    ] {
        let found = Document::parse("hints", text, Limits::default()).unwrap_err();
        let hint = found[0].hint.clone().unwrap_or_default();
        assert!(hint.contains(wanted), "{text:?}: {}: {hint}", found[0].message);
    }
}

#[test]
fn spaces_that_are_none_are_named_and_shown() {
    for (text, line, column) in [
        ("users:\n\u{a0}\u{a0}- default\n", 2, 1),
        ("users:\n- name: a\n \u{a0}shell\n  b: c: d\n", 3, 2),
        ("a: 1\nb: \u{a0}c: d\n", 2, 6),
        ("a: 1\nhostname:\u{a0}web\n", 2, 10),
    ] {
        let found = Document::parse("x", text, Limits::default()).unwrap_err();
        let [only] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((only.line(), only.column()), (line, column), "{text:?}: {}", only.message);
        assert_eq!(only.message.contains("U+00A0"), column != 6, "{}", only.message);
        assert!(render(text, &found).contains("\\u{a0}"), "{}", render(text, &found));
    }
}
