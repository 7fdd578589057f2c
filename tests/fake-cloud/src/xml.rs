//! XML as EC2 writes it: elements and text.

/// A document being written.
#[derive(Debug)]
pub(crate) struct Xml {
    text: String,
    root: String,
}

impl Xml {
    /// Begins a document.
    pub(crate) fn new(root: &str, namespace: Option<&str>) -> Self {
        let attribute = namespace.map(|name| format!(" xmlns=\"{name}\"")).unwrap_or_default();
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}{attribute}>");
        Self { text, root: root.to_owned() }
    }

    /// An element with text.
    pub(crate) fn text(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        self.text.push_str(&format!("<{name}>{}</{name}>", escape(value.as_ref())));
        self
    }

    /// An element with text, where there is some.
    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// An element with elements.
    pub(crate) fn nest(&mut self, name: &str, inner: impl FnOnce(&mut Self)) -> &mut Self {
        self.text.push_str(&format!("<{name}>"));
        inner(self);
        self.text.push_str(&format!("</{name}>"));
        self
    }

    /// `<NAME><item>…</item>…</NAME>`, EC2's lists.
    pub(crate) fn items<T>(
        &mut self,
        name: &str,
        list: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.nest(name, |xml| {
            for item in list {
                xml.nest("item", |xml| each(xml, item));
            }
        })
    }

    /// The same, of texts.
    pub(crate) fn texts<T: AsRef<str>>(
        &mut self,
        name: &str,
        list: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        self.nest(name, |xml| {
            for text in list {
                xml.text("item", text);
            }
        })
    }

    /// `<NAME><member>…</member>…</NAME>`, the lists of other query protocols.
    pub(crate) fn members<T>(
        &mut self,
        name: &str,
        list: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.nest(name, |xml| {
            for item in list {
                xml.nest("member", |xml| each(xml, item));
            }
        })
    }

    /// Text without an element of its own.
    pub(crate) fn bare(&mut self, value: impl AsRef<str>) {
        self.text.push_str(&escape(value.as_ref()));
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        format!("{}</{}>", self.text, self.root)
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The text of the first element of that name in a small document that a client sent.
pub(crate) fn find<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let start = document.find(&format!("<{name}>"))? + name.len() + 2;
    let rest = document.get(start..)?;
    rest.get(..rest.find(&format!("</{name}>"))?)
}
