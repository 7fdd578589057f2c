//! What is worth another try, and when.
