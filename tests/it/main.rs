//! The integration tests: one binary, because each links the whole tree.
