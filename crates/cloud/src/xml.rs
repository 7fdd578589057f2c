//! Answers in XML, as small trees. Bounded: depth, elements, no DTD, no entities but XML's own.

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, escape};

/// Elements within each other.
const DEEPEST: usize = 64;
/// Elements in all.
const MOST: usize = 1_000_000;

/// An element. Namespaces and attributes are left out: no answer needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its local name.
    pub(crate) name: String,
    /// Its text, without what lies in its children; white space between children is none.
    pub(crate) text: String,
    /// Its children.
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The children of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The entries of the list `name`, where there is one; each is called `entry`.
    pub(crate) fn list<'a>(&'a self, name: &str, entry: &'a str) -> impl Iterator<Item = &'a Element> {
        self.child(name).into_iter().flat_map(move |list| list.all(entry))
    }

    /// The text at `path` without white space around it, `None` where it is missing or empty.
    pub(crate) fn trimmed(&self, path: &[&str]) -> Option<String> {
        self.at(path).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Bytes that it takes, about.
    pub(crate) fn weight(&self) -> usize {
        let own = size_of::<Self>() + self.name.len() + self.text.len();
        // Elements are at most 64 deep.
        self.children.iter().fold(own, |sum, child| sum.saturating_add(child.weight()))
    }

    /// The text at a path of names, `None` where it is missing or empty.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&str> {
        let found = path.iter().try_fold(self, |element, name| element.child(name))?;
        Some(found.text.as_str()).filter(|text| !text.is_empty())
    }
}

/// Reads a document.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub(crate) fn parse(bytes: &[u8]) -> Result<Element, String> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| format!("byte {} is no UTF-8", error.valid_up_to()))?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut count = 0_usize;
    loop {
        let event =
            reader.read_event().map_err(|error| format!("XML, byte {}: {error}", reader.error_position()))?;
        match event {
            Event::Start(start) => {
                begin(&start, &mut open, &mut count, root.is_some())?;
            }
            Event::Empty(start) => {
                begin(&start, &mut open, &mut count, root.is_some())?;
                end(&mut open, &mut root);
            }
            Event::End(_) => end(&mut open, &mut root),
            Event::Text(text) => {
                let text = text.decode().map_err(|error| error.to_string())?;
                add(&mut open, &text)?;
            }
            Event::CData(text) => {
                let text = text.decode().map_err(|error| error.to_string())?;
                add(&mut open, &text)?;
            }
            Event::GeneralRef(reference) => {
                let text = entity(&reference)?;
                add(&mut open, &text)?;
            }
            Event::DocType(_) => return Err("a document type declaration, which no service sends".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match (root, open.pop()) {
        (_, Some(element)) => Err(format!("XML that ends inside of <{}>", element.name)),
        (Some(root), None) => Ok(root),
        (None, None) => Err("no XML element".to_owned()),
    }
}

fn begin(
    start: &BytesStart<'_>,
    open: &mut Vec<Element>,
    count: &mut usize,
    ended: bool,
) -> Result<(), String> {
    *count += 1;
    if *count > MOST {
        return Err(format!("more than {MOST} XML elements"));
    }
    if open.len() >= DEEPEST {
        return Err(format!("XML elements more than {DEEPEST} deep"));
    }
    if ended && open.is_empty() {
        return Err("XML with two root elements".to_owned());
    }
    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
    open.push(Element { name, ..Element::default() });
    Ok(())
}

fn end(open: &mut Vec<Element>, root: &mut Option<Element>) {
    // The reader has compared the names: an end without a beginning is its error.
    let Some(mut element) = open.pop() else { return };
    if !element.children.is_empty() && element.text.trim().is_empty() {
        element.text.clear();
    }
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn add(open: &mut [Element], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("text outside of the XML element".to_owned()),
    }
    Ok(())
}

fn entity(reference: &BytesRef<'_>) -> Result<String, String> {
    let unknown = || "an XML entity that is none of XML's own".to_owned();
    if let Some(char) = reference.resolve_char_ref().map_err(|_| unknown())? {
        return Ok(char.to_string());
    }
    let name = reference.decode().map_err(|_| unknown())?;
    escape::resolve_xml_entity(&name).map(str::to_owned).ok_or_else(unknown)
}

#[cfg(test)]
mod tests;
