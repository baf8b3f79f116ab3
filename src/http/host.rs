//! Which `Host` names mean this listener.
//!
//! A page in a user's browser can make its own name resolve to 127.0.0.1 and read what is served
//! there (DNS rebinding). Its requests then carry that name. So names are refused, but for
//! `localhost`, and only addresses that this connection can mean are accepted. The port is not
//! compared: a port-forward has another one.

use http::uri::Authority;
use std::net::{IpAddr, SocketAddr};

/// Whether a request with this `Host` header means the listener, which was reached at `local`.
pub(super) fn means_us(host: &str, local: SocketAddr) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    if host.contains('@') {
        return false;
    }
    let name = authority.host();
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    literal.parse::<IpAddr>().is_ok_and(|ip| {
        ip.to_canonical().is_loopback() || ip.to_canonical() == local.ip().to_canonical()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_listener() {
        let local: SocketAddr = "10.0.0.7:9911".parse().unwrap();
        for host in [
            "localhost",
            "LOCALHOST:9911",
            "127.0.0.1:9911",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:9911",
            "[::1]",
            "10.0.0.7:9911",
            "[::ffff:10.0.0.7]:1",
        ] {
            assert!(means_us(host, local), "{host}");
        }
        for host in [
            "evil.example:9911",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.8:9911",
            "user@localhost",
            "",
            "a b",
        ] {
            assert!(!means_us(host, local), "{host}");
        }
    }
}
