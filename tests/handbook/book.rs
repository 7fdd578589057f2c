//! The handbook as HTML, by mdBook's own libraries.
//!
//! Pages of docs/ link to files of the repository outside it: the README, recipes, user-data. On the forge these links
//! simply work; here what they lead to goes into the book, too, below `repository/`: pages as chapters, other files as they
//! are. So the book is whole wherever it lies, and there is one way to write a link.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use hardtack_tests::tools::top;
use mdbook_driver::MDBook;
use mdbook_driver::book::{Book, BookItem, Chapter};
use mdbook_driver::errors::Error;
use mdbook_markdown::pulldown_cmark::{Event, LinkType, Tag};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

/// Where what is outside docs/ goes.
const OUTSIDE: &str = "repository";

/// Where the book goes unless told otherwise.
pub(crate) fn usual() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top().join("target"), PathBuf::from).join("book")
}

/// Builds the book in `to`; what was there is replaced.
pub(crate) fn build(to: &Path) -> Result<(), Error> {
    let mut book = MDBook::load(top().join("docs"))?;
    book.config.build.build_dir = to.to_owned();
    let taken = Rc::new(RefCell::new(BTreeSet::new()));
    book.with_preprocessor(Outside { taken: Rc::clone(&taken) });
    book.build()?;
    for file in taken.borrow().iter() {
        let place = to.join(OUTSIDE).join(file);
        fs::create_dir_all(place.parent().unwrap())?;
        fs::copy(top().join(file), place)?;
    }
    Ok(())
}

/// Takes along what is linked outside docs/.
struct Outside {
    /// The files that are copied, from the top.
    taken: Rc<RefCell<BTreeSet<PathBuf>>>,
}

impl Preprocessor for Outside {
    fn name(&self) -> &'static str {
        "hardtack-outside"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book, Error> {
        let mut found = Found::default();
        book.for_each_mut(|item| {
            if let BookItem::Chapter(chapter) = item
                && let Some(source) = chapter.source_path.clone()
            {
                chapter.content = rewrite(&chapter.content, &Path::new("docs").join(source), &mut found);
            }
        });
        let mut chapters = BTreeMap::new();
        while let Some(path) = found.pending.pop() {
            let text = if top().join(&path).is_dir() {
                listing(&path)?
            } else {
                fs::read_to_string(top().join(&path))?
            };
            let page = if top().join(&path).is_dir() { path.join("README.md") } else { path };
            let text = rewrite(&text, &page, &mut found);
            let title = text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']).to_owned();
            chapters.insert(in_book(&page), (title, text));
        }
        if !chapters.is_empty() {
            book.items.push(BookItem::PartTitle("The repository".to_owned()));
        }
        for (path, (title, text)) in chapters {
            book.items.push(BookItem::Chapter(Chapter::new(&title, text, path, Vec::new())));
        }
        *self.taken.borrow_mut() = found.files;
        Ok(book)
    }
}

/// What links lead to outside docs/.
#[derive(Default)]
struct Found {
    /// Everything that was seen.
    seen: BTreeSet<PathBuf>,
    /// Pages and directories that are still to be taken along.
    pending: Vec<PathBuf>,
    /// Other files.
    files: BTreeSet<PathBuf>,
}

/// `page` with its links as the book has them; `at` is its place, from the top.
fn rewrite(page: &str, at: &Path, found: &mut Found) -> String {
    let mut text = page.to_owned();
    let links: Vec<_> = new_cmark_parser(page, &MarkdownOptions::default())
        .into_offset_iter()
        .filter_map(|(event, range)| match event {
            Event::Start(Tag::Link { link_type: LinkType::Inline, dest_url, .. }) => Some((dest_url, range)),
            _ => None,
        })
        .collect();
    for (link, range) in links.into_iter().rev() {
        let (path, anchor) =
            link.split_once('#').map_or((&*link, None), |(path, anchor)| (path, Some(anchor)));
        if path.is_empty() || path.contains(':') {
            continue;
        }
        let target = join(at.parent().unwrap(), path);
        if !target.starts_with("docs") && found.seen.insert(target.clone()) {
            if top().join(&target).is_dir() || is_page(&target) {
                found.pending.push(target.clone());
            } else {
                found.files.insert(target.clone());
            }
        }
        let target = if top().join(&target).is_dir() { target.join("README.md") } else { target };
        // On the forge the list of pages is the way in; the book has it on every page.
        let summary = Path::new("docs/SUMMARY.md");
        let target = if target == summary { summary.with_file_name("README.md") } else { target };
        let mut new = relative(&in_book(at), &in_book(&target));
        if let Some(anchor) = anchor {
            new = format!("{new}#{anchor}");
        }
        let place = text[range.clone()].rfind(&format!("]({link}")).map(|start| range.start + start + 2);
        if let Some(start) = place {
            text.replace_range(start..start + link.len(), &new);
        }
    }
    text
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "md")
}

/// A page that lists a directory.
fn listing(directory: &Path) -> Result<String, Error> {
    let mut names: Vec<String> = fs::read_dir(top().join(directory))?
        .map(|entry| Ok(entry?.file_name().into_string().unwrap()))
        .collect::<Result<_, std::io::Error>>()?;
    names.sort();
    let lines: Vec<String> = names.iter().map(|name| format!("- [{name}]({name})\n")).collect();
    Ok(format!("# {}\n\n{}", directory.display(), lines.concat()))
}

/// Where a file of the repository lies in the book. mdBook calls README.md index.md.
fn in_book(path: &Path) -> PathBuf {
    let place = path.strip_prefix("docs").map_or_else(|_| Path::new(OUTSIDE).join(path), Path::to_path_buf);
    if place.file_name().is_some_and(|name| name == "README.md") {
        place.with_file_name("index.md")
    } else {
        place
    }
}

/// `path` as seen from `folder`, without `..` where that can be.
pub(crate) fn join(folder: &Path, path: &str) -> PathBuf {
    let mut all = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::ParentDir => assert!(all.pop(), "{path} leaves the repository"),
            Component::CurDir => {}
            part => all.push(part),
        }
    }
    all
}

/// The way from one file to another.
fn relative(from: &Path, to: &Path) -> String {
    let from: Vec<_> = from.parent().unwrap().components().collect();
    let to: Vec<_> = to.components().collect();
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut parts = vec![".."; from.len() - same];
    parts.extend(to[same..].iter().map(|part| part.as_os_str().to_str().unwrap()));
    parts.join("/")
}
