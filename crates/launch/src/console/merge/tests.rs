//! Texts through windows.

use super::*;

const LIMIT: usize = 1 << 20;

/// A generator of numbers that everybody can repeat (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// A console: lines that differ, long runs of equal ones, characters of several bytes.
fn console(numbers: &mut Numbers, size: usize) -> Vec<u8> {
    let mut text = String::new();
    while text.len() < size {
        match numbers.below(6) {
            0 => {
                let line = ["[  OK  ] Reached target.\r\n", "\r\n", "........\n"][numbers.below(3)];
                (0..numbers.below(40)).for_each(|_| text.push_str(line));
                text.push_str(&format!("[{:>12}] and on\r\n", text.len()));
            }
            1 => text.push_str("█▀▄ ▀█▄▀█ ü€\r\n"),
            _ => text.push_str(&format!("[{:>12}] unit {:x}\r\n", text.len(), numbers.below(usize::MAX))),
        }
    }
    text.into_bytes()
}

fn merged(windows: &[(&[u8], Part)]) -> Merged {
    let mut merged = Merged::new(LIMIT);
    windows.iter().for_each(|(window, part)| merged.take(window, *part));
    merged
}

fn has(merged: &Merged, part: &[u8]) -> bool {
    scan(merged.text(), part).0
}

#[test]
fn what_rolls_through_windows_comes_back_whole() {
    for seed in 1..=60 {
        let mut numbers = Numbers(seed * 0x9e37_79b9);
        let size = 2000 + numbers.below(30_000);
        let text = console(&mut numbers, size);
        let window = 1500 + numbers.below(3000);
        let mut merged = Merged::new(LIMIT);
        let mut end = 0;
        while end < text.len() {
            // Runs of equal lines are at most 1 kB long: an overlap above that is a true one.
            end = (end + 1 + numbers.below(window - 1200)).min(text.len());
            merged.take(&text[end.saturating_sub(window)..end], Part::Latest);
        }
        assert!(merged.text() == text, "seed {seed}: {} of {} bytes", merged.text().len(), text.len());
    }
}

#[test]
fn kept_windows_may_be_old_and_come_at_any_time() {
    for seed in 1..=60 {
        let mut numbers = Numbers(seed * 0x51_7cc1);
        let text = console(&mut numbers, 20_000);
        let window = 4000;
        let mut merged = Merged::new(LIMIT);
        let mut end = window;
        merged.take(&text[..window], Part::Kept);
        while end < text.len() {
            end = (end + 1 + numbers.below(window - 1200)).min(text.len());
            merged.take(&text[end - window..end], Part::Latest);
            let old = window + numbers.below(end - window);
            merged.take(&text[old - window..old], Part::Kept);
        }
        assert!(merged.text() == text, "seed {seed}");
    }
}

#[test]
fn the_beginning_and_the_end_meet_when_the_middle_comes() {
    let text = console(&mut Numbers(7), 30_000);
    let (first, last) = (&text[..8000], &text[20_000..]);
    for windows in [
        [(first, Part::Kept), (last, Part::Latest)],
        [(last, Part::Latest), (first, Part::Kept)],
        [(first, Part::Kept), (last, Part::Kept)],
    ] {
        let mut merged = merged(&windows);
        let at = merged.text().windows(MARK.len()).position(|part| part == MARK).unwrap();
        assert!(merged.text().starts_with(first) && merged.text().ends_with(last) && at >= first.len());
        merged.take(&text[6000..22_000], Part::Kept);
        assert!(merged.text() == text);
    }
}

#[test]
fn a_console_that_begins_again_stands_behind_a_mark() {
    let (one, two) = (console(&mut Numbers(3), 9000), console(&mut Numbers(4), 9000));
    let mut merged = merged(&[(&one, Part::Latest), (&two[..500], Part::Latest), (&one, Part::Kept)]);
    merged.take(&two, Part::Latest);
    let text = merged.text();
    assert!(text.starts_with(&one) && text.ends_with(&two));
    assert_eq!(text.windows(MARK.len()).filter(|part| *part == MARK).count(), 1);
    assert!(text.len() <= one.len() + two.len() + MARK.len() + 1);
}

#[test]
fn no_line_of_a_window_is_ever_lost() {
    // Whatever is said to overlap: every window stands in the text in one piece.
    for seed in 1..=200 {
        let mut numbers = Numbers(seed * 77);
        let mut windows = Vec::new();
        for _ in 0..5 {
            let mut window = String::new();
            for _ in 0..numbers.below(60) {
                window.push_str(["same line of the console\r\n", "another\n", "x"][numbers.below(3)]);
            }
            windows.push(window.into_bytes());
        }
        let mut merged = Merged::new(LIMIT);
        for window in &windows {
            let part = [Part::Kept, Part::Latest][numbers.below(2)];
            merged.take(window, part);
        }
        for window in &windows {
            assert!(has(&merged, window), "seed {seed}");
        }
    }
}

#[test]
fn characters_cut_in_two_do_no_harm() {
    let text =
        "a line of the console with a picture █▀▄█▀▄█▀▄█▀▄█▀▄█▀▄\n".repeat(3) + "end of the first half ";
    let text = format!(
        "{text}█ and what came then, on and on, until there was a page of it: more than enough of it\n"
    );
    let cut = text.find("█ and").unwrap();
    let (first, second) = (&text.as_bytes()[..cut + 1], &text.as_bytes()[60..]);
    assert!(merged(&[(first, Part::Latest), (second, Part::Latest)]).text() == text.as_bytes());
    // Halves that a service has written anew.
    let first = [&text.as_bytes()[..cut], "\u{fffd}".as_bytes()].concat();
    let start = text.find("█▀▄").unwrap();
    let second = ["\u{fffd}".as_bytes(), &text.as_bytes()[start + 3..]].concat();
    assert!(merged(&[(&first, Part::Latest), (&second, Part::Latest)]).text() == text.as_bytes());
}

#[test]
fn little_is_no_overlap_and_nothing_changes_nothing() {
    let merged_text = merged(&[(b"one\r\nlogin: ", Part::Latest), (b"login: x\r\ntwo\r\n", Part::Latest)]);
    let expected = [&b"one\r\nlogin: \n"[..], MARK, b"login: x\r\ntwo\r\n"].concat();
    assert_eq!(merged_text.text(), expected);
    assert_eq!(merged(&[(b"", Part::Kept), (b"a", Part::Kept), (b"", Part::Latest)]).text(), b"a");
    assert_eq!(merged(&[(b"abc", Part::Kept), (b"abcdef", Part::Kept)]).text(), b"abcdef");
}

#[test]
fn memory_is_bounded_and_the_newest_stays() {
    let mut merged = Merged::new(10_000);
    for round in 0..50 {
        merged.take(&console(&mut Numbers(round + 1), 3000), Part::Latest);
        assert!(merged.text().len() <= 10_000);
        assert!(merged.pieces.iter().all(|piece| piece.end <= merged.text().len()));
    }
    let last = console(&mut Numbers(50), 3000);
    assert!(merged.text().ends_with(&last));
    merged.take(&vec![b'x'; 30_000], Part::Kept);
    assert!(merged.text().len() <= 10_000 && merged.text().ends_with(&last));
    let mut merged = Merged::new(10_000);
    merged.take(&vec![b'x'; 30_000], Part::Kept);
    assert_eq!(merged.text().len(), 10_000);
}

#[test]
fn equal_bytes_take_no_more_time_than_others() {
    // Quadratic work would take hours here.
    let (text, window) = (vec![b'a'; 4 << 20], [vec![b'a'; 512 << 10], vec![b'b']].concat());
    assert_eq!(scan(&text, &window), (false, 512 << 10));
    assert_eq!(scan(b"abcabcab", b"abcabd"), (false, 5));
    assert_eq!(scan(b"xxabcabdxx", b"abcabd"), (true, 6));
}
