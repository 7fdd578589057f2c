//! Lists in pages, and filters of them.

use crate::call::{self, Call};
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Kind};

/// Entries of a page. Who asks by ids gets all at once, and EC2 refuses to hear of pages then.
pub(super) const PAGE: Option<u16> = Some(1000);

/// `Filter.1.Name=…&Filter.1.Value.1=…`.
pub(super) fn add_filters(query: &mut Query, filters: &[(String, Vec<String>)]) {
    for (index, (name, values)) in filters.iter().enumerate() {
        let prefix = format!("Filter.{}", index + 1);
        query.set(format!("{prefix}.Name"), name);
        query.list(&format!("{prefix}.Value"), values);
    }
}

/// All pages of a list: `each` is given the root of each. `entries` is how many are on a page, where this call has pages.
///
/// AWS gives pages to who asks for them; Eucalyptus gives all at once, and refuses `MaxResults` where it does not know
/// it.
pub(super) fn pages(
    call: Call,
    client: &Client,
    query: &Query,
    entries: Option<u16>,
    mut each: impl FnMut(&Element) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut query = query.clone();
    if client.place().kind == Kind::Aws {
        query.maybe("MaxResults", entries.map(|entries| entries.to_string()));
    }
    call::pages(call, client, &query, &["nextToken"], |root| each(root).map(|()| true))
}

/// The entries of the list `name`. It must be there: an answer without it is another call's, or none.
pub(super) fn items<'a>(
    call: Call,
    root: &'a Element,
    name: &str,
) -> Result<impl Iterator<Item = &'a Element>, Error> {
    let list = root.child(name).ok_or_else(|| call.wrong(format!("{name} is missing")))?;
    Ok(list.all("item"))
}

/// The entries of the list `name`, where there is one.
pub(super) fn entries<'a>(entry: &'a Element, name: &str) -> impl Iterator<Item = &'a Element> {
    entry.list(name, "item")
}
