//! Which service a request is for, and which of its actions: all share one address.

use crate::http::Request;
use crate::params::Params;

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Instances, images, snapshots.
    Ec2,
    /// Buckets and objects.
    S3,
    /// Blocks of snapshots.
    Ebs,
    /// Tokens.
    Sts,
    /// Parameters.
    Ssm,
    /// Keys.
    Kms,
    /// Eucalyptus' certificates.
    Bootstrap,
    /// Stacks.
    CloudFormation,
    /// Groups that scale.
    AutoScaling,
    /// Eucalyptus' properties.
    Properties,
}

impl Service {
    /// Its name in a signature's scope.
    pub(crate) fn scope(self) -> &'static str {
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

    /// Headers `x-amz-…` that are there must be signed.
    pub(crate) fn signs_headers(self) -> bool {
        matches!(self, Self::S3 | Self::Ebs)
    }
}

/// Prefixes of Eucalyptus' services.
const EUCALYPTUS: [(&str, Service); 10] = [
    ("/services/compute", Service::Ec2),
    ("/services/Eucalyptus", Service::Ec2),
    ("/services/objectstorage", Service::S3),
    ("/services/Walrus", Service::S3),
    ("/services/Tokens", Service::Sts),
    ("/services/Empyrean", Service::Bootstrap),
    ("/services/bootstrap", Service::Bootstrap),
    ("/services/CloudFormation", Service::CloudFormation),
    ("/services/AutoScaling", Service::AutoScaling),
    ("/services/Properties", Service::Properties),
];

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) service: Service,
    pub(crate) action: String,
    pub(crate) key: String,
    /// The path without a service's prefix.
    pub(crate) path: String,
}

impl Route {
    /// Finds it.
    pub(crate) fn of(request: &Request) -> Self {
        for (prefix, service) in EUCALYPTUS {
            let rest = request.path.strip_prefix(prefix);
            if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                let path = if rest.is_empty() { "/" } else { rest };
                return Self::within(service, request, path);
            }
        }
        let path = request.path.as_str();
        let target = request.header("x-amz-target").unwrap_or_default();
        let scope = request
            .header("authorization")
            .and_then(crate::signature::v4::Header::parse)
            .map(|header| header.service)
            .unwrap_or_default();
        let service = if target.starts_with("AmazonSSM.") {
            Service::Ssm
        } else if target.starts_with("TrentService.") {
            Service::Kms
        } else if path.starts_with("/snapshots") && scope != "s3" {
            Service::Ebs
        } else {
            let action = Params::of(request).peek("Action").unwrap_or_default().to_owned();
            match action.as_str() {
                "" => Service::S3,
                _ if scope == "cloudformation" => Service::CloudFormation,
                _ if scope == "autoscaling" => Service::AutoScaling,
                "GetCallerIdentity" | "AssumeRole" | "AssumeRoleWithWebIdentity" => Service::Sts,
                "DescribeServiceCertificates" => Service::Bootstrap,
                _ => Service::Ec2,
            }
        };
        Self::within(service, request, path)
    }

    fn within(service: Service, request: &Request, path: &str) -> Self {
        let (action, key) = match service {
            Service::S3 => object_action(request, path),
            Service::Ebs => block_action(request, path),
            Service::Ssm | Service::Kms => {
                let target = request.header("x-amz-target").unwrap_or_default();
                let action = target.split('.').next_back().unwrap_or_default().to_owned();
                let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let key = ["Name", "KeyId"].iter().find_map(|name| body.get(name)?.as_str());
                (action, key.unwrap_or_default().to_owned())
            }
            _ => {
                let params = Params::of(request);
                let names = [
                    "Name",
                    "StackName",
                    "ImageId",
                    "ImageId.1",
                    "SnapshotId",
                    "SnapshotId.1",
                    "InstanceId",
                    "InstanceId.1",
                    "KeyName",
                    "GroupId",
                    "GroupName",
                    "VolumeId",
                    "SourceSnapshotId",
                    "ResourceId.1",
                    "RoleArn",
                ];
                let key = names.iter().find_map(|name| params.peek(name));
                (params.peek("Action").unwrap_or_default().to_owned(), key.unwrap_or_default().to_owned())
            }
        };
        Self { service, action, key, path: path.to_owned() }
    }
}

/// Bucket and key of a path.
pub(crate) fn bucket_and_key(path: &str) -> (String, String) {
    let path = path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let key = String::from_utf8_lossy(&crate::http::percent_decode(key)).into_owned();
    (bucket.to_owned(), key)
}

fn object_action(request: &Request, path: &str) -> (String, String) {
    let (bucket, key) = bucket_and_key(path);
    let has = |name: &str| request.parameter(name).is_some();
    let method = request.method.as_str();
    let sub =
        ["acl", "ownershipControls", "location", "publicAccessBlock", "policy", "versioning", "encryption"]
            .into_iter()
            .find(|name| has(name));
    let level = match (bucket.is_empty(), key.is_empty()) {
        (true, _) => return ("ListBuckets".to_owned(), String::new()),
        (false, true) => "Bucket",
        (false, false) => "Object",
    };
    let verb = match method {
        "GET" => "Get",
        "HEAD" => "Head",
        "PUT" => "Put",
        "DELETE" => "Delete",
        _ => "Post",
    };
    let action = match (level, sub) {
        (_, Some(sub)) => {
            let mut sub = sub.to_owned();
            if let Some(first) = sub.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            format!("{verb}{level}{sub}")
        }
        ("Bucket", None) => match method {
            "PUT" => "CreateBucket".to_owned(),
            "GET" if request.parameter("list-type").as_deref() == Some("2") => "ListObjectsV2".to_owned(),
            "GET" if has("uploads") => "ListMultipartUploads".to_owned(),
            "GET" => "ListObjects".to_owned(),
            "POST" if has("delete") => "DeleteObjects".to_owned(),
            _ => format!("{verb}Bucket"),
        },
        _ => match method {
            "PUT" if has("partNumber") => "UploadPart".to_owned(),
            "PUT" if request.header("x-amz-copy-source").is_some() => "CopyObject".to_owned(),
            "POST" if has("uploads") => "CreateMultipartUpload".to_owned(),
            "POST" if has("uploadId") => "CompleteMultipartUpload".to_owned(),
            "DELETE" if has("uploadId") => "AbortMultipartUpload".to_owned(),
            "GET" if has("uploadId") => "ListParts".to_owned(),
            _ => format!("{verb}Object"),
        },
    };
    let key = if key.is_empty() { bucket } else { format!("{bucket}/{key}") };
    (action, key)
}

fn block_action(request: &Request, path: &str) -> (String, String) {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (action, key) = match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["snapshots"]) => ("StartSnapshot", String::new()),
        ("POST", ["snapshots", "completion", id]) => ("CompleteSnapshot", (*id).to_owned()),
        ("PUT", ["snapshots", id, "blocks", index]) => ("PutSnapshotBlock", format!("{id}/{index}")),
        ("GET", ["snapshots", id, "blocks"]) => ("ListSnapshotBlocks", (*id).to_owned()),
        ("GET", ["snapshots", id, "blocks", index]) => ("GetSnapshotBlock", format!("{id}/{index}")),
        ("GET", ["snapshots", id, "changedblocks"]) => ("ListChangedBlocks", (*id).to_owned()),
        _ => ("", String::new()),
    };
    (action.to_owned(), key)
}
