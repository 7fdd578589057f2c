//! Where an image goes: options of every verb that talks to a cloud or to the local catalog.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Where it goes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Place")]
pub(crate) struct PlaceArgs {
    /// The local catalog, AWS, or Eucalyptus.
    #[arg(long, value_enum, default_value_t = On::Local)]
    pub(crate) on: On,

    /// The region; of Eucalyptus one of euca2ools' files, with or without a user ([USER@]REGION).
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// Where the service answers, as euca2ools has it: S3 in upload and install, EC2 elsewhere.
    #[arg(long, short = 'U', value_name = "URL")]
    pub(crate) url: Option<String>,

    /// Where EC2 answers; else EC2_URL, AWS_ENDPOINT_URL_EC2, the files.
    #[arg(long, value_name = "URL")]
    pub(crate) ec2_url: Option<String>,

    /// Where S3 answers; else S3_URL, AWS_ENDPOINT_URL_S3, the files.
    #[arg(long, value_name = "URL")]
    pub(crate) s3_url: Option<String>,

    /// The local catalog; else HARDTACK_CATALOG, else hardtack in XDG_DATA_HOME or ~/.local/share.
    #[arg(long, value_name = "DIR")]
    pub(crate) catalog: Option<PathBuf>,

    /// Where Eucalyptus' bootstrap service answers, which has the cloud's certificate; else EUCA_BOOTSTRAP_URL.
    #[arg(long, value_name = "URL")]
    pub(crate) bootstrap_url: Option<String>,

    /// Who asks, and how.
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// Who asks a cloud, and how.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AccessArgs {
    /// The profile of ~/.aws/config and ~/.aws/credentials; else AWS_PROFILE.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// How requests are signed: v2 is for old Eucalyptus.
    #[arg(long, value_enum, value_name = "VERSION")]
    pub(crate) auth: Option<Auth>,

    /// An eucarc file. It is read, not run.
    #[arg(long, alias = "config", value_name = "FILE")]
    pub(crate) eucarc: Option<PathBuf>,

    /// Ask the machine that this runs on for its role's keys, too.
    #[arg(long)]
    pub(crate) instance_metadata: bool,

    /// Say each call to a cloud on standard error, without secrets.
    #[arg(long)]
    pub(crate) debug: bool,
}

/// Places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum On {
    /// A directory of this machine.
    #[default]
    Local,
    /// AWS.
    Aws,
    /// Eucalyptus.
    #[value(alias = "eucalyptus")]
    Euca,
}

impl On {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Aws => "aws",
            Self::Euca => "euca",
        }
    }
}

/// Versions of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    /// Version 2, by HMAC-SHA256.
    V2,
    /// Version 4.
    V4,
}

/// How objects of a bundle are stored.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Bucket")]
pub(crate) struct BucketArgs {
    /// The bucket, and the path in it; it is made if it is missing.
    #[arg(long, short, value_name = "BUCKET[/PREFIX]")]
    pub(crate) bucket: Option<String>,

    /// The canned ACL of parts and manifest.
    #[arg(long, value_enum, default_value_t = Acl::AwsExecRead)]
    pub(crate) acl: Acl,

    /// Where a bucket is made that is missing.
    #[arg(long, value_name = "LOCATION")]
    pub(crate) location: Option<String>,

    /// Nothing more: what is worth it is always tried again.
    #[arg(long, hide = true)]
    pub(crate) retry: bool,

    /// Parts that are sent at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) parallel: u8,
}

/// Canned ACLs that bundles are stored with, by their names in S3.
#[allow(clippy::enum_variant_names)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Acl {
    /// Everybody may read it.
    PublicRead,
    /// The cloud may read it.
    #[default]
    AwsExecRead,
    /// EC2 may read it, to bundle instances.
    Ec2BundleRead,
}

impl Acl {
    /// As S3 writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PublicRead => "public-read",
            Self::AwsExecRead => "aws-exec-read",
            Self::Ec2BundleRead => "ec2-bundle-read",
        }
    }
}
