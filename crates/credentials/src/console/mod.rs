//! Finding blocks again in a console log.
#[cfg(test)]
pub(crate) mod tests;
