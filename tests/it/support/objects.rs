//! Small builders of objects: `pod("web-1").on("n1").ip("10.0.0.1").port("http", 8080)`.
