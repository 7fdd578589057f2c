//! Which cloud, and where its services answer.

pub(crate) mod aws;
mod euca;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{Environment, Error};

/// A kind of cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Amazon's.
    Aws,
    /// Eucalyptus.
    Euca,
}

/// A service that Hardtack talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Instances, images, snapshots. Query protocol, version 2016-11-15.
    Ec2,
    /// Buckets and objects.
    S3,
    /// EBS direct: blocks of snapshots.
    Ebs,
    /// Security tokens. Query protocol, version 2011-06-15.
    Sts,
    /// Parameters of Systems Manager. JSON 1.1.
    Ssm,
    /// Keys. JSON 1.1.
    Kms,
    /// Eucalyptus' bootstrap service (`DescribeServiceCertificates`).
    Bootstrap,
    /// Stacks. Query protocol, version 2010-05-15.
    CloudFormation,
    /// Auto scaling groups. Query protocol, version 2011-01-01.
    AutoScaling,
    /// Eucalyptus' settings (`DescribeProperties`, `ModifyPropertyValue`).
    Properties,
}

/// How requests are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Signature version 4.
    V4,
    /// Signature version 2, of old Eucalyptus.
    V2,
}

/// Where a service answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme, host, port and path, without a slash at its end: `http://10.0.0.1:8773/services/compute`.
    pub url: String,
    /// The region in signatures.
    pub region: String,
}

/// A cloud, or one region of it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its kind.
    pub kind: Kind,
    /// Its region; `eucalyptus` where nobody gave one.
    pub region: String,
    /// How requests are signed.
    pub scheme: Scheme,
    /// Authorities that vouch for its servers, in the place of the well-known ones, as in `AWS_CA_BUNDLE`.
    pub authorities: Option<PathBuf>,
    /// False: servers' certificates are not looked at (`verify-ssl` of `~/.euca`, whose default this is).
    pub verify: bool,
    /// Addresses that were given; others follow from the region.
    pub given: BTreeMap<Service, String>,
    /// The region in signatures, where it is another than the region (`AWS_AUTH_REGION`).
    pub signing_region: Option<String>,
    /// `s3-force-sigv4` of `~/.euca`: S3 is signed with version 4 whatever `scheme` is.
    pub s3_v4: bool,
    /// AWS' addresses are those that FIPS 140 allows (`AWS_USE_FIPS_ENDPOINT`).
    pub fips: bool,
}

/// What a command line says of the place.
#[derive(Clone, Debug, Default)]
pub struct PlaceOptions {
    /// `--region`; euca2ools' `USER@REGION` too.
    pub region: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `-U`, `--url`: EC2's address.
    pub ec2_url: Option<String>,
    /// `--s3-url`.
    pub s3_url: Option<String>,
    /// `--bootstrap-url`.
    pub bootstrap_url: Option<String>,
    /// `--auth v2`.
    pub scheme: Option<Scheme>,
    /// `--eucarc`.
    pub eucarc: Option<PathBuf>,
}

impl Place {
    /// A place of which nothing but kind and region is known.
    pub fn new(kind: Kind, region: &str) -> Self {
        Self {
            kind,
            region: region.to_owned(),
            scheme: Scheme::V4,
            authorities: None,
            verify: true,
            given: BTreeMap::new(),
            signing_region: None,
            s3_v4: false,
            fips: false,
        }
    }

    /// The place that options, environment and files (`~/.aws/config`, `~/.euca/*.ini`, eucarc) name.
    ///
    /// # Errors
    /// No region for AWS, no address for Eucalyptus, a file that cannot be read.
    pub fn find(kind: Kind, options: &PlaceOptions, environment: &Environment) -> Result<Self, Error> {
        match kind {
            Kind::Aws => aws::find(options, environment),
            Kind::Euca => euca::find(options, environment),
        }
    }

    /// The same cloud in another region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self.clone() }
    }

    /// Where `service` answers. S3's address is the one of all buckets: a bucket is the first part of the path
    /// (path style), which AWS, Eucalyptus and every other S3 understand, whatever the bucket's name.
    ///
    /// # Errors
    /// This place has no such service, or nobody said where it is.
    pub fn endpoint(&self, service: Service) -> Result<Endpoint, Error> {
        let url = match (self.given.get(&service), self.kind) {
            (Some(url), _) => checked(url)?,
            (None, Kind::Aws) => aws::address(service, &self.region, self.fips)?,
            (None, Kind::Euca) => return Err(euca::missing(service)),
        };
        Ok(Endpoint { url, region: self.signing_region.clone().unwrap_or_else(|| self.region.clone()) })
    }

    /// The partition of AWS, as ARNs have it: `aws`, `aws-cn`, `aws-us-gov` ….
    pub fn partition(&self) -> &'static str {
        aws::partition(&self.region).0
    }

    /// How requests to `service` are signed.
    pub fn scheme(&self, service: Service) -> Scheme {
        if service == Service::S3 && self.s3_v4 { Scheme::V4 } else { self.scheme }
    }
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Ec2,
        Self::S3,
        Self::Ebs,
        Self::Sts,
        Self::Ssm,
        Self::Kms,
        Self::Bootstrap,
        Self::CloudFormation,
        Self::AutoScaling,
        Self::Properties,
    ];

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::S3 => "S3",
            Self::Ebs => "EBS",
            Self::Sts => "STS",
            Self::Ssm => "SSM",
            Self::Kms => "KMS",
            Self::Bootstrap => "the bootstrap service",
            Self::CloudFormation => "CloudFormation",
            Self::AutoScaling => "AutoScaling",
            Self::Properties => "the properties service",
        }
    }

    /// Its name in signatures.
    pub fn signing_name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::S3 => "s3",
            Self::Ebs => "ebs",
            Self::Sts => "sts",
            Self::Ssm => "ssm",
            Self::Kms => "kms",
            Self::Bootstrap => "bootstrap",
            Self::CloudFormation => "cloudformation",
            Self::AutoScaling => "autoscaling",
            Self::Properties => "properties",
        }
    }
}

/// An address of the user's: `http` or `https`, a host, maybe a path; no slash at its end.
pub(crate) fn checked(url: &str) -> Result<String, Error> {
    let trimmed = url.trim().trim_end_matches('/');
    let rest = trimmed.strip_prefix("http://").or_else(|| trimmed.strip_prefix("https://"));
    let good = rest.is_some_and(|rest| {
        let host = rest.split('/').next().unwrap_or_default();
        !host.is_empty()
            && !host.starts_with(':')
            && !rest.contains(['?', '#', '@'])
            && rest.chars().all(|char| char.is_ascii_graphic())
    });
    if good {
        return Ok(trimmed.to_owned());
    }
    // A name and password may stand before an `@`.
    let shown = if url.contains('@') { "an address with a name or password in it" } else { url };
    Err(Error::Usage(format!(
        "{shown:?} is no address of a service: it is http:// or https://, a host and maybe a path"
    )))
}
