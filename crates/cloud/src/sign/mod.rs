//! Signatures: version 4 by `aws-sigv4`, version 2 of old Eucalyptus by ourselves.
