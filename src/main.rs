//! The command `nodelocal-sd`.

fn main() {}
