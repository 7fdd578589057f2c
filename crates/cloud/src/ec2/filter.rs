//! Lists in pages, and filters of them.

use crate::call::{Call, PAGES};
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Kind};

/// Bytes that all pages of a list may take in memory. 100,000 images take about half of it.
const HEAVIEST: usize = if cfg!(test) { 1 << 20 } else { 256 << 20 };

/// `Filter.1.Name=…&Filter.1.Value.1=…`.
pub(super) fn add_filters(query: &mut Query, filters: &[(String, Vec<String>)]) {
    for (index, (name, values)) in filters.iter().enumerate() {
        let prefix = format!("Filter.{}", index + 1);
        query.set(format!("{prefix}.Name"), name);
        query.list(&format!("{prefix}.Value"), values);
    }
}

/// All pages of a list: `each` is given the root of each.
///
/// AWS gives pages to who asks for them, and not to who asks by ids; Eucalyptus gives all at once, and refuses
/// `MaxResults` where it does not know it.
pub(super) fn pages(
    call: Call,
    client: &Client,
    query: &Query,
    by_id: bool,
    mut each: impl FnMut(&Element) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut next: Option<String> = None;
    let mut weight = 0_usize;
    for _ in 0..PAGES {
        let mut query = query.clone();
        if client.place().kind == Kind::Aws && !by_id {
            query.set("MaxResults", "1000");
        }
        query.maybe("NextToken", next.as_deref());
        let root = call.query(client, &query)?;
        weight = weight.saturating_add(root.weight());
        if weight > HEAVIEST {
            return Err(call.wrong(format!(
                "its list takes more than {} MiB: narrow it down by other filters",
                HEAVIEST >> 20
            )));
        }
        each(&root)?;
        let token = root.at(&["nextToken"]).map(str::to_owned);
        if token.is_some() && token == next {
            return Err(call.wrong("the next page is the same as this one"));
        }
        match token {
            Some(token) => next = Some(token),
            None => return Ok(()),
        }
    }
    Err(call.wrong(format!("its list has more than {PAGES} pages: narrow it down by other filters")))
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
