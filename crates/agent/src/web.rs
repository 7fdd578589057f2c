//! What the agent fetches: what user-data includes, files, forms.

use hardtack_userdata::split::Fetch;

use crate::host::Host;

/// Follows `#include` in user-data.
pub(crate) struct Includes {}

impl Includes {
    pub(crate) fn new(_host: &Host) -> Self {
        Self {}
    }
}

impl Fetch for Includes {
    fn fetch(&self, url: &str, _once: bool) -> Result<Vec<u8>, String> {
        Err(format!("{url} cannot be fetched"))
    }
}

/// Who sends requests.
pub(crate) fn transport(_host: &Host) -> Box<dyn hardtack_http::Transport> {
    Box::new(Nobody)
}

/// Until there is a client.
struct Nobody;

impl hardtack_http::Transport for Nobody {
    fn send(
        &self,
        request: &hardtack_http::Request<'_>,
    ) -> Result<hardtack_http::Response, hardtack_http::Error> {
        Err(hardtack_http::Error::Url { url: request.url.to_owned(), why: "no client".to_owned() })
    }
}
