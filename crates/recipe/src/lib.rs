//! Recipes: the model, the steps, the plan and its application.
#![forbid(unsafe_code)]
