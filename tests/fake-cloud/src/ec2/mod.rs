//! EC2's query API, as far as Hardtack speaks it (API reference 2016-11-15).

mod account;
mod copies;
mod filter;
mod groups;
mod images;
pub(crate) mod instances;
mod key_pairs;
mod networks;
mod register;
mod rules;
mod sharing;
mod snapshots;
mod types;
mod volumes;

pub(crate) use images::state as image_state;
pub(crate) use snapshots::state as snapshot_state;

use crate::account::Caller;
use crate::cloud::Shared;
use crate::http::{Request, Response};
use crate::params::Params;
use crate::refusal::{Answer, Refusal};
use crate::route::Route;
use crate::world::{Region, Tags};
use crate::xml::Xml;

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// A call.
pub(crate) struct Call<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) caller: &'a Caller,
    pub(crate) params: Params,
}

/// Answers.
pub(crate) fn handle(shared: &Shared, route: &Route, request: &Request, caller: &Caller) -> Answer {
    let call = Call { shared, caller, params: Params::of(request) };
    if call.params.peek("Version").is_none() {
        return Err(Refusal::bad("MissingParameter", "The request must contain the parameter Version"));
    }
    if !matches!(request.method.as_str(), "GET" | "POST") {
        return Err(Refusal::bad("InvalidRequest", "The method is GET or POST"));
    }
    let action = route.action.as_str();
    match action {
        "DescribeImages" => images::describe(&call),
        "RegisterImage" => register::register(&call),
        "DeregisterImage" => images::deregister(&call),
        "DescribeSnapshots" => snapshots::describe(&call),
        "DeleteSnapshot" => snapshots::delete(&call),
        "ModifyImageAttribute" => sharing::modify_image(&call),
        "DescribeImageAttribute" => sharing::describe_image(&call),
        "ModifySnapshotAttribute" => sharing::modify_snapshot(&call),
        "CreateTags" | "DeleteTags" => sharing::tag(&call, action),
        "DescribeRegions" => account::regions(&call),
        "RunInstances" => instances::run(&call),
        "DescribeInstances" => instances::describe(&call),
        "TerminateInstances" => instances::terminate(&call),
        "GetConsoleOutput" => instances::console(&call),
        "DescribeInstanceTypes" => types::describe(&call),
        "ImportKeyPair" => key_pairs::import(&call),
        "DescribeKeyPairs" => key_pairs::describe(&call),
        "DeleteKeyPair" => key_pairs::delete(&call),
        "CreateSecurityGroup" => groups::create(&call),
        "DescribeSecurityGroups" => groups::describe(&call),
        "DeleteSecurityGroup" => groups::delete(&call),
        "AuthorizeSecurityGroupIngress" | "RevokeSecurityGroupIngress" => rules::change(&call, action),
        "CreateVolume" => volumes::create(&call),
        "DescribeVolumes" => volumes::describe(&call),
        "AttachVolume" => volumes::attach(&call),
        "DetachVolume" => volumes::detach(&call),
        "DeleteVolume" => volumes::delete(&call),
        "DescribeVpcs" => networks::vpcs(&call),
        "DescribeSubnets" => networks::subnets(&call),
        "DescribeAvailabilityZones" => networks::zones(&call),
        "DescribeNetworkInterfaces" => networks::interfaces(&call),
        "DescribeSnapshotAttribute" => sharing::describe_snapshot(&call),
        "CopyImage" if !shared.euca() => copies::image(&call),
        "CopySnapshot" if !shared.euca() => copies::snapshot(&call),
        "GetEbsEncryptionByDefault"
        | "GetEbsDefaultKmsKeyId"
        | "GetImageBlockPublicAccessState"
        | "GetSnapshotBlockPublicAccessState"
            if !shared.euca() =>
        {
            account::setting(&call, action)
        }
        _ => {
            let text = format!("The action {action} is not valid for this web service.");
            Err(Refusal::bad("InvalidAction", text))
        }
    }
}

impl Call<'_> {
    /// An answer's document.
    pub(crate) fn answer(action: &str, inner: impl FnOnce(&mut Xml)) -> Response {
        let mut xml = Xml::new(&format!("{action}Response"), Some(NAMESPACE));
        xml.text("requestId", "00000000-0000-4000-8000-000000000000");
        inner(&mut xml);
        Response::new(200, "text/xml;charset=UTF-8", xml.finish())
    }

    /// `<return>true</return>`.
    pub(crate) fn done(action: &str) -> Answer {
        Ok(Self::answer(action, |xml| {
            xml.text("return", "true");
        }))
    }

    /// What an earlier call with the same client token made; another call with it is an error.
    pub(crate) fn repeated(
        &self,
        region: &Region,
        action: &'static str,
        token: Option<&str>,
    ) -> Result<Option<String>, Refusal> {
        let Some(token) = token else { return Ok(None) };
        let key = (self.caller.account.clone(), action, token.to_owned());
        match region.tokens.get(&key) {
            None => Ok(None),
            Some((fingerprint, id)) if *fingerprint == self.params.fingerprint() => Ok(Some(id.clone())),
            Some(_) => {
                let text = "Arguments on this idempotent request are inconsistent with arguments used in previous \
                            request(s).";
                Err(Refusal::bad("IdempotentParameterMismatch", text))
            }
        }
    }

    /// Notes what a call with a client token made.
    pub(crate) fn remember(
        &self,
        region: &mut Region,
        action: &'static str,
        token: Option<String>,
        id: &str,
    ) {
        if let Some(token) = token {
            let key = (self.caller.account.clone(), action, token);
            region.tokens.insert(key, (self.params.fingerprint(), id.to_owned()));
        }
    }

    /// Cuts a page out of a list; the number at which the next one begins. Eucalyptus has no pages.
    pub(crate) fn page<T>(&self, list: Vec<T>, start: usize, most: Option<u64>) -> (Vec<T>, Option<String>) {
        if self.shared.euca() {
            return (list, None);
        }
        let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let most = most.min(self.shared.options.page);
        let next = (list.len() > start.saturating_add(most)).then(|| format!("page-{}", start + most));
        (list.into_iter().skip(start).take(most).collect(), next)
    }

    /// `NextToken` and `MaxResults`.
    pub(crate) fn paging(&self) -> Result<(usize, Option<u64>), Refusal> {
        if self.shared.euca() {
            return Ok((0, None));
        }
        let most = self.params.number("MaxResults")?;
        if most.is_some_and(|most| !(5..=1000).contains(&most)) {
            return Err(Refusal::bad("InvalidParameterValue", "MaxResults is 5 to 1000"));
        }
        self.paging_of(most)
    }

    /// `NextToken` alone.
    pub(crate) fn paging_of(&self, most: Option<u64>) -> Result<(usize, Option<u64>), Refusal> {
        let start = match self.params.get("NextToken") {
            None => 0,
            Some(token) => token
                .strip_prefix("page-")
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| Refusal::bad("InvalidNextToken", "The token is invalid."))?,
        };
        Ok((start, most))
    }
}

/// `<tagSet>`.
pub(crate) fn tag_set(xml: &mut Xml, tags: &Tags) {
    if !tags.is_empty() {
        xml.items("tagSet", tags, |xml, (key, value)| {
            xml.text("key", key).text("value", value);
        });
    }
}
