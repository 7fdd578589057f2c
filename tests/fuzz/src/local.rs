//! What a guest of this machine talks to: the switch of its private network, its metadata service, and whoever reads
//! its console.

use hardtack_launch::console::{Console, advice, last_lines};
use hardtack_launch::machine::Part;
use hardtack_local::instance::Like;
use hardtack_local::metadata::Identity;
use hardtack_local::testing;

use crate::memory::bounded;

/// What one input may take: it is small, and so is what is answered.
const MEMORY: usize = 32 << 20;
/// No answer is longer than a frame of DHCP or a ping's echo.
const FRAME: usize = 70_000;

/// Frames with their lengths before them; the first byte says in which pieces they come.
pub fn frames(input: &[u8]) {
    let Some((size, bytes)) = input.split_first() else { return };
    bounded(MEMORY, || {
        let chunks: Vec<&[u8]> = bytes.chunks(usize::from(*size) + 1).collect();
        let mut whole = Vec::new();
        let intact = testing::frames(&chunks, &mut |frame| {
            whole.push(frame.to_vec());
            if let Some(Some(answer)) = testing::frame("n", frame) {
                assert!((60..=FRAME).contains(&answer.len()), "{}", answer.len());
                // Nobody answers to that.
                assert!(testing::frame("n", &answer).flatten().is_none());
            }
        });
        // It does not matter how they were cut.
        let mut again = Vec::new();
        assert_eq!(testing::frames(&[bytes], &mut |frame| again.push(frame.to_vec())), intact);
        assert_eq!(whole, again);
        // A single frame, without a length.
        let _ = testing::frame("n", bytes);
    });
}

/// Heads of requests with a NUL between them; the first byte says who answers.
pub fn imds(input: &[u8]) {
    let Some((who, bytes)) = input.split_first() else { return };
    let identity = Identity {
        like: if who & 1 == 0 { Like::Ec2 } else { Like::Eucalyptus },
        imds_v2: who & 2 != 0,
        instance: "i-0123456789abcdef0".to_owned(),
        image: "ami-0123456789abcdef0".to_owned(),
        address: "169.254.0.15".to_owned(),
        mac: "0a:01:23:45:67:89".to_owned(),
        private: Some(("0e:68:74:01:00:0a".to_owned(), "10.7.8.10".to_owned(), 24)),
        public_address: Some("127.0.0.1".to_owned()),
        key: Some(("k".to_owned(), "ssh-ed25519 AAAA k".to_owned())),
        devices: vec![("ami".to_owned(), "vda".to_owned()), ("root".to_owned(), "/dev/vda".to_owned())],
        user_data: Some(b"S3CRET".to_vec()),
        tags: vec![("Name".to_owned(), "web".to_owned())],
        ..Identity::default()
    };
    bounded(MEMORY, || {
        let heads: Vec<&[u8]> = bytes.split(|byte| *byte == 0).take(64).collect();
        let mut token = false;
        for (head, answer) in heads.iter().zip(testing::imds(&identity, &heads)) {
            let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
            let (top, body) = answer.split_at(end + 4);
            // Nothing of a request gets into a head: it is as long as it is said to be.
            assert!(top.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' '..=b'~')));
            let lines = top.split(|byte| *byte == b'\n').count();
            assert!(lines < 9, "{lines}");
            token |= head.starts_with(b"PUT") && top.starts_with(b"HTTP/1.1 200");
            let told = body.windows(6).any(|six| six == b"S3CRET");
            assert!(!told || token || identity.like == Like::Eucalyptus || !identity.imds_v2);
        }
    });
}

/// Windows of a console with a NUL between them; the byte after it says what they are taken for.
pub fn windows(input: &[u8]) {
    bounded(MEMORY, || {
        let mut console = Console::default();
        for window in input.split(|byte| *byte == 0).take(64) {
            let (part, window) = match window.split_first() {
                Some((b'k', window)) => (Part::Kept, window),
                _ => (Part::Latest, window),
            };
            let before = console.text().len();
            console.take_part(window, part);
            let text = console.text();
            // What was seen is there in one piece, and nothing else but marks of what is missing.
            assert!(window.is_empty() || text.windows(window.len()).any(|known| known == window));
            assert!(text.len() <= before + window.len() + 128, "{} {}", text.len(), before);
        }
        for line in last_lines(console.text(), 40) {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        let seen = hardtack_launch::console::Seen {
            machine: hardtack_launch::Machine::default(),
            console,
            credentials: false,
        };
        assert!(!advice(&seen).chars().any(char::is_control));
    });
}
