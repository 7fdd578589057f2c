//! Every call against a cloud that is strict about them: a fake EC2 and EBS, and a real S3.

#![allow(clippy::unwrap_used)]

mod bundles;
mod eucalyptus;
mod keys;
mod launching;
mod places;
mod snapshots;
