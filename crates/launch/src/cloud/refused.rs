//! What a cloud's refusal of `RunInstances` means, and what to do about it.
//!
//! Source: EC2's "Error codes" (client errors of `RunInstances`); the first of them are the order's, the others the
//! account's or the cloud's.

use hardtack_cloud::Error as Cloud;
use hardtack_publish::refusal::{denied, throttled};

use crate::Error;

/// The refusal, and what to do in a line of its own.
pub(super) fn told(error: Cloud, architecture: &str) -> Error {
    let Some(code) = error.code().map(str::to_owned) else { return error.into() };
    let text = error.to_string();
    let lower = text.to_lowercase();
    let has = |word: &str| lower.contains(word);
    let bad = ["InvalidParameter", "InvalidInstanceType", "InvalidAvailabilityZone", "Unsupported"];
    if bad.iter().any(|start| code.starts_with(start)) {
        let hint = if has("architecture") {
            format!("the image is of {architecture}: -t names a type of it, and `hardtack types` lists them")
        } else if has("profile") {
            "-p names an instance profile, which is not the role in it; `aws iam list-instance-profiles` lists them".to_owned()
        } else if code.starts_with("Unsupported") {
            "-z names a zone that has the type, or -t another type".to_owned()
        } else if has("zone") {
            "-z names a zone of the region; without it the cloud takes one".to_owned()
        } else if has("instancetype") || has("instance type") || has("vmtype") {
            "`hardtack types` lists the types that there are".to_owned()
        } else {
            return error.into();
        };
        return Error::Refused(format!("{text}\n{hint}"));
    }
    let hint = if throttled(&error) {
        return error.into();
    } else if code.contains("Insufficient") || has("not enough resources") {
        "another zone (-z), another type (-t) or fewer instances (-n) may go; so may the same a few minutes later"
    } else if code.contains("LimitExceeded") {
        "`hardtack terminate` ends what is not needed; smaller types and other regions have quotas of their own, and quotas \
         are raised on request"
    } else if denied(&error) {
        "the keys need ec2:RunInstances and ec2:CreateTags, and with -p iam:PassRole for the profile's role"
    } else {
        return error.into();
    };
    Cloud::State(format!("{text}\n{hint}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: &str, message: &str) -> Error {
        let error = Cloud::Service {
            service: "EC2",
            call: "RunInstances".to_owned(),
            status: 400,
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: String::new(),
            lost: false,
        };
        told(error, "arm64")
    }

    #[test]
    fn refusals_say_what_to_do() {
        for (code, message, hint) in [
            ("InvalidParameterValue", "Invalid value 't3.smal' for InstanceType", "hardtack types"),
            ("InvalidParameterValue", "The architecture 'x86_64' of the type", "the image is of arm64"),
            ("InvalidParameterValue", "Invalid availability zone: [x]", "-z names"),
            ("InvalidParameterValue", "Invalid IAM Instance Profile name", "which is not the role"),
            ("Unsupported", "not supported in your requested Availability Zone", "-z names a zone that has"),
        ] {
            let Error::Refused(text) = said(code, message) else { panic!("{code}") };
            assert!(text.contains(message) && text.split_once('\n').unwrap().1.contains(hint), "{text}");
        }
        for (code, hint) in [
            ("InsufficientInstanceCapacity", "a few minutes later"),
            ("InstanceLimitExceeded", "on request"),
            ("VcpuLimitExceeded", "on request"),
            ("UnauthorizedOperation", "ec2:RunInstances"),
        ] {
            let Error::Cloud(Cloud::State(text)) = said(code, "m") else { panic!("{code}") };
            assert!(text.split_once('\n').unwrap().1.contains(hint), "{text}");
        }
        for code in ["RequestLimitExceeded", "InternalError", "InvalidParameterValue"] {
            assert!(matches!(said(code, "m"), Error::Cloud(Cloud::Service { .. })), "{code}");
        }
    }
}
