//! Pictures and tables of groups with names that want to be more than names.
#![allow(clippy::print_stderr)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::Report;
use crate::groups::{Allowed, Described, Group, Member, Named, Origin, Placed, Ports, build};

fn groups() -> Vec<Group> {
    let rule = |protocol: &str, port: i64, origin: Origin| Allowed {
        ports: Ports::new(protocol, Some(port), Some(port)),
        origin,
    };
    let network = |cidr: &str| Origin::Network(cidr.to_owned());
    let named = |id: &str| Named { id: Some(id.to_owned()), ..Named::default() };
    let web = Described {
        id: "sg-1".to_owned(),
        name: "we\"b\\N \u{1b}[31m & <x>\n]]>".to_owned(),
        description:
            "a long description of what this group is for, longer than eighty columns are wide, I think"
                .to_owned(),
        owner: "111122223333".to_owned(),
        ingress: vec![
            rule("tcp", 22, network("0.0.0.0/0")),
            rule("tcp", 80, network("0.0.0.0/0")),
            rule("udp", 53, network("2001:db8::/32")),
            rule("-1", -1, Origin::Group(named("sg-2"))),
            rule("tcp", 1, Origin::Group(named("sg-gone"))),
        ],
        ..Described::default()
    };
    let app = Described { id: "sg-2".to_owned(), name: "app\\".to_owned(), ..Described::default() };
    let member = Member {
        id: "i-0123456789abcdef0".to_owned(),
        name: Some("one\"".to_owned()),
        public_name: Some("ec2-203-0-113-25.eu-west-1.compute.amazonaws.com".to_owned()),
        public_address: Some("203.0.113.25".to_owned()),
        private_address: Some("10.0.0.5".to_owned()),
    };
    build(vec![web, app], Some(&[Placed { member, groups: vec![named("sg-1"), named("sg-2")], vpc: None }]))
}

#[test]
fn dot_has_one_edge_for_each_source_and_group() {
    let text = dot(&groups());
    assert_eq!(text.matches(" -> ").count(), 4, "{text}");
    assert!(text.contains("[label=\"tcp/22, tcp/80\", color=red"), "{text}");
    assert!(text.contains("label=\"app\\\\ (sg-2)\\ni-0123456789abcdef0 one\\\" ec2-"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert_eq!(text, dot(&groups()));
    assert!(dot(&[]).ends_with("}\n"));
}

#[test]
fn graphviz_reads_our_dot() {
    let child = Command::new("dot").arg("-Tplain").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "dot cannot be run: {error}");
            eprintln!("SKIPPED: no Graphviz (dot: {error})");
            return;
        }
    };
    child.stdin.take().unwrap().write_all(dot(&groups()).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let plain = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{plain}");
    let count = |kind: &str| plain.lines().filter(|line| line.starts_with(kind)).count();
    assert_eq!((count("node "), count("edge ")), (5, 4), "{plain}");
    // What was quoted is what was meant.
    assert!(plain.contains("we\\\"b\\\\N ?[31m & <x>?]]>"), "{plain}");
}

#[test]
fn the_picture_is_well_formed_and_the_same_twice() {
    let text = svg(&groups());
    assert_eq!(text, svg(&groups()));
    assert!(text.contains("we&quot;b\\N ?[31m &amp; &lt;x&gt;?]]&gt;"), "{text}");
    // Sources, groups, one member that is in two groups, and the ground.
    assert_eq!(text.matches("<rect ").count(), 4 + 2 + 1 + 1, "{text}");
    assert_eq!(text.matches("<line ").count(), 4 + 2, "{text}");
    // Each element ends where it began: no text of ours or of others leaves one open.
    let inside = text.replace("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "");
    let opened = inside.matches('<').count();
    let closed = inside.matches("</").count();
    let alone = inside.matches("/>").count();
    assert_eq!(opened, 2 * closed + alone, "{text}");
    assert!(svg(&[]).ends_with("</svg>\n"));
}

#[test]
fn tables_fit_the_terminal() {
    let mut report = Report::new("aws", "eu-west-1");
    report.groups = Some(groups());
    let report = report.concluded();
    assert_eq!(report.public.len(), 2, "{:?}", report.public);
    let text = tables(&report, 80);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("OPEN TO THE WORLD: tcp/22, tcp/80"), "{text}");
    assert!(text.contains("THE WORLD REACHES 2 THINGS"), "{text}");
    let wide = tables(&report, 160);
    assert!(wide.contains("ec2-203-0-113-25.eu-west-1.compute.amazonaws.com"), "{wide}");
    assert!(wide.lines().count() < text.lines().count());
}
