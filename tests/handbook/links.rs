//! Links, on the forge and in the built book.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hardtack_tests::markdown::{pages, read};
use hardtack_tests::tools::top;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};

use crate::book::{build, join};

/// The pages whose links are looked at: those with commands, and what lies beside them.
fn all() -> Vec<PathBuf> {
    let mut all = pages();
    all.extend(["ARCHITECTURE.md", "CHANGELOG.md"].map(PathBuf::from));
    all
}

/// The links of a page, and its anchors as forges make them.
fn look(page: &str) -> (Vec<String>, BTreeSet<String>) {
    let (mut links, mut anchors) = (Vec::new(), BTreeSet::new());
    let mut heading: Option<String> = None;
    for event in new_cmark_parser(page, &MarkdownOptions::default()) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(dest_url.into_string())
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(&heading.take().unwrap());
                let mut name = slug.clone();
                for number in 1.. {
                    if anchors.insert(name.clone()) {
                        break;
                    }
                    name = format!("{slug}-{number}");
                }
            }
            _ => {}
        }
    }
    (links, anchors)
}

/// GitHub's and GitLab's rule: lower case, no punctuation, a hyphen for each blank.
fn slug(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'))
        .map(|char| if char == ' ' { '-' } else { char })
        .collect()
}

fn is_elsewhere(link: &str) -> bool {
    link.starts_with("https://") || link.starts_with("http://") || link.starts_with("mailto:")
}

#[test]
fn every_link_of_the_sources_leads_somewhere() {
    let looked: BTreeMap<PathBuf, _> =
        all().into_iter().map(|page| (page.clone(), look(&read(&page)))).collect();
    let mut broken = Vec::new();
    let mut count = 0;
    for (page, (links, _)) in &looked {
        for link in links.iter().filter(|link| !is_elsewhere(link)) {
            count += 1;
            let (path, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { page.clone() } else { join(page.parent().unwrap(), path) };
            if !top().join(&target).exists() {
                broken.push(format!("{}: {link}: there is no such file", page.display()));
            } else if let Some(anchor) = anchor
                && !looked.get(&target).is_some_and(|(_, anchors)| anchors.contains(anchor))
            {
                broken.push(format!("{}: {link}: there is no such heading", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(count > 300, "{count}");
}

#[test]
fn every_page_is_in_the_summary_once() {
    let (links, _) = look(&read(Path::new("docs/SUMMARY.md")));
    let mut listed: Vec<PathBuf> = links.iter().map(|link| join(Path::new("docs"), link)).collect();
    listed.sort();
    let mut there = pages();
    there.retain(|page| page.starts_with("docs") && page != Path::new("docs/SUMMARY.md"));
    assert_eq!(listed, there);
}

#[test]
fn every_link_of_the_built_book_leads_somewhere() {
    let scratch = tempfile::tempdir().unwrap();
    build(scratch.path()).unwrap();
    let mut files = BTreeMap::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(scratch.path().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if scratch.path().join(&path).is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|ending| ending == "html") {
                let text = fs::read_to_string(scratch.path().join(&path)).unwrap();
                let anchors: BTreeSet<String> = attributes(&text, "id").into_iter().collect();
                files.insert(path, Some((text, anchors)));
            } else {
                files.insert(path, None);
            }
        }
    }
    let mut broken = Vec::new();
    let mut count = 0;
    for (page, found) in &files {
        // The page for what is not found is read from any place; its links start from the site's root.
        let Some((text, _)) = found.as_ref().filter(|_| page != Path::new("404.html")) else { continue };
        let links = [attributes(text, "href"), attributes(text, "src")].concat();
        for link in links.iter().filter(|link| !is_elsewhere(link) && !link.is_empty()) {
            count += 1;
            let (path, anchor) =
                link.split_once('#').map_or((link.as_str(), ""), |(path, anchor)| (path, anchor));
            let target = if path.is_empty() { page.clone() } else { join(page.parent().unwrap(), path) };
            match files.get(&target) {
                None => broken.push(format!("{}: {link}: there is no such file", page.display())),
                Some(Some((_, anchors))) if !anchor.is_empty() && !anchors.contains(anchor) => {
                    broken.push(format!("{}: {link}: there is no such heading", page.display()));
                }
                Some(_) => {}
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(count > 1500, "{count}");
    // What lies outside docs/ was taken along, pages and files.
    for path in ["repository/index.html", "repository/image-recipes/debian-3fa.yaml", "first-image.html"] {
        assert!(files.contains_key(Path::new(path)), "{path}");
    }
}

/// The values of an attribute in a page of HTML.
fn attributes(html: &str, name: &str) -> Vec<String> {
    let start = format!(" {name}=\"");
    let rest = html.split(&start).skip(1);
    rest.map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&")).collect()
}
