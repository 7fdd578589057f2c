//! What is answered to what.

use std::time::SystemTime;

use super::answer::Answer;
use super::request::Request;
use super::token::Tokens;
use super::tree::Tree;
use super::{Identity, ec2, eucalyptus};
use crate::instance::Like;

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// EC2 writes it into answers, too.
const TTL_ANSWERED: &str = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds";

/// The metadata service of one instance.
pub(super) struct Service {
    like: Like,
    imds_v2: bool,
    tree: Tree,
    tokens: Tokens,
    random: fn(&mut [u8]),
    now: fn() -> SystemTime,
}

impl Service {
    pub(super) fn new(identity: &Identity, random: fn(&mut [u8]), now: fn() -> SystemTime) -> Self {
        let tree = match identity.like {
            Like::Ec2 => ec2::tree(identity),
            Like::Eucalyptus => eucalyptus::tree(identity),
        };
        let (like, imds_v2) = (identity.like, identity.imds_v2);
        Self { like, imds_v2, tree, tokens: Tokens::default(), random, now }
    }

    pub(super) fn answer(&self, request: &Request) -> Answer {
        let mut answer = match self.like {
            Like::Ec2 => self.of_ec2(request),
            Like::Eucalyptus => self.of_eucalyptus(request),
        };
        answer.head_only = request.method == "HEAD";
        answer
    }

    fn of_ec2(&self, request: &Request) -> Answer {
        if request.path == "/latest/api/token" {
            return self.token(request);
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Answer::refusal(405).with("Allow", "GET, HEAD");
        }
        let left = request.header(TOKEN).and_then(|token| self.tokens.left(token, (self.now)()));
        // One that is wrong is refused even where none is needed.
        if left.is_none() && (self.imds_v2 || request.has(TOKEN)) {
            return Answer::refusal(401);
        }
        let mut answer = match request.path.trim_matches('/') {
            "" => Answer::ok(ec2::VERSIONS.join("\n").into_bytes()),
            path => {
                let (version, rest) = path.split_once('/').unwrap_or((path, ""));
                let body = ec2::VERSIONS.contains(&version).then(|| self.tree.get(rest)).flatten();
                match body {
                    Some(body) if rest == "user-data" => {
                        Answer::ok(body).with("Content-Type", "application/octet-stream")
                    }
                    Some(body) => Answer::ok(body),
                    None => Answer::refusal(404),
                }
            }
        };
        if let Some(left) = left {
            answer = answer.with(TTL_ANSWERED, left.to_string());
        }
        answer.with("Server", "EC2ws")
    }

    fn token(&self, request: &Request) -> Answer {
        if request.method != "PUT" {
            return Answer::refusal(405).with("Allow", "OPTIONS, PUT");
        }
        // A proxy that is open to the world must not fetch one.
        if request.has("x-forwarded-for") {
            return Answer::refusal(403);
        }
        let made = request.header(TTL).and_then(|ttl| self.tokens.make(ttl, self.random, (self.now)()));
        match made {
            Some((token, seconds)) => {
                Answer::ok(token.into_bytes()).with(TTL_ANSWERED, seconds.to_string()).with("Server", "EC2ws")
            }
            None => Answer::refusal(400),
        }
    }

    /// Eucalyptus does not look at the method.
    fn of_eucalyptus(&self, request: &Request) -> Answer {
        let path = request.path.trim_start_matches('/');
        if path.is_empty() {
            return Answer::ok(eucalyptus::VERSIONS.join("\n").into_bytes());
        }
        let Some((version, rest)) = path.split_once('/') else { return Answer::refusal(404) };
        if !matches!(version, "latest" | "1.0") && !eucalyptus::is_date(version) {
            return Answer::refusal(404);
        }
        self.tree.get(rest).map_or_else(|| Answer::refusal(404), Answer::ok)
    }
}
