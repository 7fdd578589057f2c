//! Texts made to hurt.

use hardtack_yaml::{Document, Limits};

fn first_error(text: &str) -> (usize, usize, String) {
    let found = Document::parse("hostile", text, Limits::default()).expect_err(&text[..text.len().min(40)]);
    (found[0].line(), found[0].column(), found[0].message.clone())
}

#[test]
fn deep_nesting_is_an_error_in_every_form() {
    let deep = 10_000;
    let flow = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
    let block = "- ".repeat(deep);
    let braces = "{a: ".repeat(deep);
    let indented: String = (0..300).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    let lines: String = "[\n".repeat(deep);
    for text in [flow, block, braces, indented, lines] {
        let (.., message) = first_error(&text);
        assert!(message.contains("deep") || message.contains("recursion limit"), "{message}");
    }
}

#[test]
fn alias_bombs_are_refused_before_they_grow() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", ")));
    }
    assert!(first_error(&bomb).2.contains("aliases counted"));

    let big = "x".repeat(1 << 20);
    let text = format!("a: &a {big}\nb: [{}]\n", ["*a"; 100].join(", "));
    assert!(first_error(&text).2.contains("aliases counted"));

    let mut tower = String::from("a0: &a0 [x]\n");
    for level in 1..300 {
        tower.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(first_error(&tower).2.contains("deep"));
}

#[test]
fn an_alias_inside_its_own_anchor_is_an_error() {
    assert!(first_error("a: &a [1, *a]\n").2.contains("inside what it names"));
    assert!(first_error("a: &a {b: *a}\n").2.contains("inside what it names"));
}

#[test]
fn errors_have_their_place() {
    for (text, line, column) in [
        ("a: 1\nb:\t2\n", 2, 3),
        ("a:\n\tb: 1\n", 2, 1),
        ("a: b\t\n", 1, 5),
        ("a: 1\n---\nb: 2\n", 2, 1),
        ("ä: \"x\"\nb: *nothing\n", 2, 4),
        ("a: @x\n", 1, 4),
        ("a: \u{1}\n", 1, 4),
        ("\u{feff}a: @x\n", 1, 4),
        ("a: 1\r\nb: @x\r\n", 2, 4),
        ("a: &x {p: 1}\nb: {<<: 5}\n", 2, 9),
    ] {
        let found = first_error(text);
        assert_eq!((found.0, found.1), (line, column), "{text:?}: {}", found.2);
    }
}

#[test]
fn tabs_are_fine_inside_quotes_blocks_and_comments() {
    for text in ["a: \"x\ty\"\n", "a: 'x\ty'\n", "a: |\n  x\ty\n\tno\n", "a: 1 # x\ty\n", "# x\ty\na: 1\n"] {
        let outcome = Document::parse("tabs", text, Limits::default());
        // The second line of the literal is not indented by blanks, so it is no content.
        if text.contains("\tno") {
            assert!(outcome.is_err(), "{text:?}");
        } else {
            assert!(outcome.is_ok(), "{text:?}: {outcome:?}");
        }
    }
}

#[test]
fn no_text_makes_it_panic() {
    let seeds = [
        "recipe: 1\nname: x\nsteps:\n  - user: {name: a, password: {env: \"B\"}}\n  - mfa:\n      users: [debian]\n",
        "a: &a |+\n  x\n\n\nb: >-\n  y\n? c\n: *a\n<<: {d: 'e'}\n%TAG ! tag:x,2000:\n--- !!map {x: !y z}\n...\n",
        "\"a\\u00e4\\x41\": ü\r\n- \t[1, 2,]\n",
    ];
    let pieces = [
        "\t", "\n", ":", "- ", "[", "]", "{", "}", "\"", "'", "&a", "*a", "!", "%", "\u{feff}", "|", ">",
        "#", "?", "\u{85}", "\né\n", "\\", "<<: ", "\r", "é",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % (below as u64)).unwrap()
    };
    for _ in 0..20_000 {
        let mut text: Vec<char> = seeds[next(seeds.len())].chars().collect();
        for _ in 0..=next(6) {
            let at = next(text.len() + 1);
            if next(3) == 0 {
                let end = (at + next(8)).min(text.len());
                text.drain(at..end);
            } else {
                text.splice(at..at, pieces[next(pieces.len())].chars());
            }
        }
        let text: String = text.into_iter().collect();
        if let Err(found) = Document::parse("mutant", &text, Limits::default()) {
            assert!(text.get(found[0].span.range()).is_some(), "{text:?}: {:?}", found[0].span);
            let picture = hardtack_yaml::render(&text, &found);
            assert!(picture.lines().all(|line| line.chars().count() <= 100), "{picture}");
        }
    }
}
